-- luacheck for the scripts. Which names the program defines is read from where it defines them, so
-- that a misspelt function is found and a new one needs no entry here. Run in the top folder.
std = "luajit"
max_line_length = false -- tables of test data have long rows
-- Every function that a command line can name has the arguments (ctx, desync), used or not.
unused_args = false

local function names(command)
	local found, pipe = {}, io.popen(command)
	for name in pipe:lines() do found[#found + 1] = name end
	pipe:close()
	assert(#found > 100, "too few names by: " .. command)
	return found
end

-- Native functions, constants and variables: the tables and calls that register them.
read_globals = names([[grep -ohE '(\{|set_(global|blob)\(L, )"[A-Za-z_][A-Za-z_0-9]*",( [^"]|$)' src/lua/*.cpp src/lua/*/*.cpp |
	sed 's/.*"\(.*\)".*/\1/']])
-- What the libraries define: functions, tables and rows of constants.
globals = names([[find lua -name '*.lua' -exec sed -nE \
	's/^((function )?([A-Za-z_][A-Za-z_0-9]*)( *=[^=]|\().*|\t\{ "(TLS_[A-Z0-9_]*)",.*)/\3\5/p' {} +]])
for _, name in ipairs({
	"desync",                               -- what code of luaexec and of conditions sees
	"autostate", "ifaddrs", "ifaddrs_last", -- kept between calls; scripts of users read them
	"in_pkts_tcp", "in_pkts_udp",           -- services say what their rules queue
}) do
	globals[#globals + 1] = name
end
globals._G = { read_only = false, other_fields = true } -- names from the command line

exclude_files = { "build", "lua/lib" } -- chapters share local functions; zapret-lib.lua is all of them

local tests = {
	std = "+lua54",    -- looked for before it is used
	allow_defined = true,
	ignore = { "131" }, -- functions that command lines name
	-- Replaced to see what is sent, or said on the command line.
	globals = { "DLOG", "rawsend_dissect", "tls_mod", "LUALIB_QUIRKS", "INSIDE", "OUTSIDE", "LINK" },
}
files["tests"] = tests
for _, name in ipairs({ "tests/learn/world.lua", "tests/data/lua-learn.lua" }) do -- have a time of their own
	files[name] = { std = "+lua54", allow_defined = true, globals = { "WORLD", "os", "clock_getfloattime" } }
end
files["tests/e2e/hostile.lua"] = { std = "+lua54", globals = { "package" } } -- tries to change all
files["lua/zapret-tests.lua"] = tests
