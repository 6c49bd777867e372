-- Reads the cdef as it is and does one run: submit, claim, step, complete, look.
--   luajit run.lua <smolwf.cdef> <libsmolwf.so> <file to make>
local ffi = require("ffi")
local declarations = assert(io.open(arg[1])):read("*a")
ffi.cdef(declarations)
local sw = ffi.load(arg[2])

-- Whole numbers come back as such, whatever their sign and width.
assert(sw.SW_OK == 0 and sw.SW_ERR_WAL_LOST == -63 and sw.SW_LEASE_WHILE_ALIVE == 4294967295)
assert(sw.SW_NTS == -1, "a size_t takes -1 for the largest")
for name in declarations:gmatch("(sw_[%w_]+)%(") do assert(sw[name], name) end

local err = ffi.new("sw_error *[1]")
local function ok(code)
    if code >= 0 then return code end
    error(ffi.string(sw.sw_code_name(code)) .. ": " .. ffi.string(sw.sw_error_message(err[0])))
end
-- The out parameter of a type, and what a call has put into it.
local function out(of) return ffi.new(of .. " *[1]") end
local function view(read, object)
    local len = ffi.new("size_t[1]")
    return ffi.string(read(object, len), len[0])
end

local store = out("sw_store")
ok(sw.sw_store_open(arg[3], nil, store, err))
ok(sw.sw_store_init(store[0], ffi.new("uint32_t[1]"), err))

local options = ffi.new("sw_submit_options", {
    struct_size = ffi.sizeof("sw_submit_options"),
    priority = -7,
    idempotency_key = "a key",
    idempotency_key_len = sw.SW_NTS,
})
local id = ffi.new("char[?]", sw.SW_ID_CAP)
local function submit()
    return ok(sw.sw_run_submit(store[0], "greet", -1, '{"name":"Ada"}', sw.SW_NTS, options,
        id, sw.SW_ID_CAP, err))
end
assert(submit() == sw.SW_OK and submit() == sw.SW_EXISTS)

local attempt, step = out("sw_attempt"), out("sw_step")
assert(ok(sw.sw_run_claim(store[0], nil, 0, nil, attempt, err)) == sw.SW_OK)
assert(view(sw.sw_attempt_args, attempt[0]) == '{"name":"Ada"}')
local begun = sw.sw_step_begin(attempt[0], "write", sw.SW_NTS, nil, 0, nil, step, err)
assert(ok(begun) == sw.SW_OK)
ok(sw.sw_step_complete(step[0], '"hello"', 7, err))
ok(sw.sw_attempt_complete(attempt[0], '"sent"', -1, err))
sw.sw_step_free(step[0])
sw.sw_attempt_free(attempt[0])
assert(sw.sw_run_claim(store[0], nil, 0, nil, attempt, err) == sw.SW_NONE)

local run = out("sw_text")
ok(sw.sw_run_get(store[0], id, sw.SW_NTS, run, err))
local document = view(sw.sw_text_data, run[0])
assert(document:find('"state":"completed"', 1, true), document)
assert(document:find('"priority":-7', 1, true), document)
sw.sw_text_free(run[0])
local code = sw.sw_run_get(store[0], "run_x", -1, run, err)
assert(code == sw.SW_ERR_INVALID or code == sw.SW_ERR_NOT_FOUND, code)
assert(ffi.string(sw.sw_error_message(err[0])) ~= "")
sw.sw_error_free(err[0])
sw.sw_store_close(store[0])
print("done")
