-- For scripts that check something: counts, tells what is wrong, and ends with both counts and the exit code of them.
local checks = {}
local passed, failed = 0, 0

function checks.equal(what, got, wanted)
	if got == wanted then
		passed = passed + 1
	else
		failed = failed + 1
		print(("%s: got %s, wanted %s"):format(what, tostring(got), tostring(wanted)))
	end
end

-- An error whose message has this text in it.
function checks.fails(what, wanted, f, ...)
	local good, message = pcall(f, ...)
	checks.equal(what, not good and message:find(wanted, 1, true) ~= nil or message, true)
end

-- The last line: "N passed, N failed".
function checks.finish()
	print(("%d passed, %d failed"):format(passed, failed))
	os.exit(failed == 0 and 0 or 1)
end

return checks
