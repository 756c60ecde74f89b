-- What a hostile script would try. Every line of output is "refused <what>" or "BREACH <what>".
-- Globals INSIDE (a directory it may write to), OUTSIDE (one it may not), LINK (a link in INSIDE that leads OUTSIDE).

local tried = 0

-- A breach is a function that returns something true.
local function try(what, f)
	local ok, result = pcall(f)
	tried = tried + 1
	print((ok and result and "BREACH " or "refused ") .. what)
end

local function write_file(name, text)
	local f = assert(io.open(name, "wb"))
	f:write(text)
	f:close()
	return name
end

-- Everything that can be reached from the globals, by any way but calling.
local function reachable()
	local found, seen, todo = {}, {}, {_G, package, getmetatable(""), getmetatable(io.stdout), coroutine.running() or _G}
	while #todo > 0 do
		local t = table.remove(todo)
		if type(t) == "table" and not seen[t] then
			seen[t] = true
			for key, value in pairs(t) do
				found[tostring(key)] = true
				todo[#todo + 1] = value
				todo[#todo + 1] = key
			end
			todo[#todo + 1] = getmetatable(t)
		elseif type(t) == "function" and getfenv and not seen[t] then
			seen[t] = true
			todo[#todo + 1] = getfenv(t)
		end
	end
	return found
end

local function forbidden_names(moment)
	local found = reachable()
	for _, name in ipairs({"execute", "popen", "loadlib", "getinfo", "sethook", "getregistry", "getupvalue", "setupvalue",
		"upvaluejoin", "getuservalue", "cdef", "typeof", "cast", "metatype", "funcbc", "funck", "traceuget", "ffi", "kill",
		"fork", "exec", "chmod", "chown", "symlink", "link", "mkdir", "ptrace", "debug", "jit.util", "jit.profile"}) do
		try(name .. " is reachable " .. moment, function() return found[name] end)
	end
end

-- Programs and machine code.
forbidden_names("at first")
for _, name in ipairs({"ffi", "debug", "jit.util", "jit.profile", "table.new.", "posix", "socket", "lfs"}) do
	try("require " .. name, function() return require(name) end)
	try("require " .. name .. " in a coroutine", function() return coroutine.wrap(require)(name) end)
	try("require " .. name .. " after removing it from package.loaded", function()
		package.loaded[name], package.preload[name] = nil, nil
		return require(name)
	end)
end
try("a number that loads the FFI", function()
	local chunk = (loadstring or load)("return 1LL, 2ULL, 3i")
	if chunk then chunk() end
	return package.loaded.ffi
end)
try("C library by package.cpath", function()
	package.cpath = "/lib/x86_64-linux-gnu/lib?.so.6;/usr/lib/x86_64-linux-gnu/lib?.so.6;/usr/lib/lib?.so.6"
	return require("c")
end)
for i = 3, 6 do
	try("loader " .. i, function() return (package.loaders or package.searchers)[i] end)
end
try("environment of a native function", function() return setfenv(print, {}) end)
try("jit.attach to bytecode", function() return not jit.attach(function() end, "bc") end)
try("parameters of the compiler", function() return not jit.opt.start("maxrecord=99999999", "maxirconst=99999999") end)

-- Bytecode.
local code = string.dump(function() return "ran" end)
local function in_pieces(text, size)
	local at = 1
	return function()
		local piece = text:sub(at, at + size - 1)
		at = at + size
		return #piece > 0 and piece or nil
	end
end
for name, prefix in pairs({plain = "", shebang = "#!/usr/bin/lua\n", mark = "\239\187\191", comment = "# \n"}) do
	local text = prefix .. code
	local file = write_file(INSIDE .. "/" .. name .. ".lua", text)
	try(name .. " by load", function() return load(text)() end)
	try(name .. " by load, mode b", function() return load(text, "x", "b")() end)
	try(name .. " by load, mode bt and environment", function() return load(text, "x", "bt", _G)() end)
	try(name .. " by loadstring", function() return loadstring(text)() end)
	try(name .. " by a reader", function() return load(in_pieces(text, #text))() end)
	try(name .. " by a reader, one byte at a time", function() return load(in_pieces(text, 1), "x", "b")() end)
	try(name .. " by loadfile", function() return loadfile(file)() end)
	try(name .. " by loadfile, mode b", function() return loadfile(file, "b")() end)
	try(name .. " by dofile", function() return dofile(file) end)
	try(name .. " by require", function()
		package.path = INSIDE .. "/?.lua"
		return require(name) == "ran"
	end)
	try(name .. " by the searcher", function()
		return (package.loaders or package.searchers)[2](name)() == "ran"
	end)
end

-- Files.
for _, name in ipairs({OUTSIDE .. "/secret", LINK .. "/secret", INSIDE .. "/../../.." .. OUTSIDE .. "/secret", "/dev/mem",
	"/dev/kmsg", "/proc/1/mem", "/proc/1/environ"}) do
	try("reading " .. name, function() return io.open(name) end)
	try("lines of " .. name, function() return io.lines(name) end)
	try("input from " .. name, function() return io.input(name) end)
	try("running " .. name, function() return loadfile(name) or dofile(name) end)
end
for _, name in ipairs({OUTSIDE .. "/secret", OUTSIDE .. "/new", LINK .. "/new", "/etc/passwd", "/etc/new", "/usr/new",
	"/proc/self/mem", "/proc/self/clear_refs", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper", "/new"}) do
	for _, mode in ipairs({"w", "a", "r+", "w+", "a+", "wb"}) do
		try("writing " .. name .. " by " .. mode, function() return io.open(name, mode) end)
	end
	try("output to " .. name, function() return io.output(name) end)
	try("removing " .. name, function() return os.remove(name) end)
	try("moving " .. name .. " in", function() return os.rename(name, INSIDE .. "/moved") end)
	try("moving over " .. name, function() return os.rename(write_file(INSIDE .. "/x", ""), name) end)
end
try("own memory", function()
	local f = io.open("/proc/self/mem", "r+b")
	return f and f:seek("set", 4096)
end)

-- Tricks with what is left.
try("finalizer of a file on something else", function() return getmetatable(io.stdout).__gc({}) end)
for name, make in pairs({gzip = gzip_init, gunzip = gunzip_init}) do
	try("finalizer of a stream on something else: " .. name, function()
		return type(getmetatable(make())) == "table" and pcall(getmetatable(make()).__gc, newproxy and newproxy() or io.stdout)
	end)
end
try("a huge table", function() return {(table.unpack or unpack)({}, 1, 1e8)} end)
try("deep recursion through dofile", function()
	write_file(INSIDE .. "/deep.lua", "return 1 + dofile(INSIDE .. '/deep.lua')")
	return dofile(INSIDE .. "/deep.lua")
end)
try("deep recursion through load", function()
	local function deeper() return load(deeper)() end
	return deeper()
end)
forbidden_names("at the end")
print("tried " .. tried)
