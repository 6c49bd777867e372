-- Three steps of one run; start it again after any kill. LuaJIT reads the header without preprocessor.
--   luajit steps.lua <libsmolwf.so> <smolwf.cdef> <file of the store>
local ffi = require("ffi")
ffi.cdef(assert(io.open(arg[2])):read("*a"))
local sw = ffi.load(arg[1])
local err = ffi.new("sw_error *[1]")
local function ok(code) -- 0 and above are answers, below 0 are errors
    if code >= 0 then return code end
    error(ffi.string(sw.sw_code_name(code)) .. ": " .. ffi.string(sw.sw_error_message(err[0])))
end
local function out(of) return ffi.new(of .. " *[1]") end -- what a call puts a handle into
local function quote(text)
    local json = out("sw_text")
    ok(sw.sw_json_quote(text, #text, json, err))
    local copy = ffi.string(sw.sw_text_data(json[0], nil))
    sw.sw_text_free(json[0])
    return copy
end
io.stdout:setvbuf("line")
assert(sw.sw_abi_check(sw.SW_ABI_VERSION) == sw.SW_OK, "the library does not fit the header")
local store, attempt, step, id = out("sw_store"), out("sw_attempt"), out("sw_step"), ffi.new("char[64]")
ok(sw.sw_store_open(arg[3], nil, store, err))
ok(sw.sw_store_init(store[0], ffi.new("uint32_t[1]"), err))
local once = ffi.new("sw_submit_options", { idempotency_key = "letter 1", idempotency_key_len = sw.SW_NTS })
once.struct_size = ffi.sizeof(once)
ok(sw.sw_run_submit(store[0], "letter", sw.SW_NTS, nil, 0, once, id, 64, err))
local patient = ffi.new("sw_claim_options", { struct_size = ffi.sizeof("sw_claim_options"), wait_ms = 1000 })
if ok(sw.sw_run_claim(store[0], nil, 0, patient, attempt, err)) == sw.SW_NONE then
    print("nothing to do: the run has ended")
else
    for _, name in ipairs({ "outline", "draft", "letter" }) do
        if ok(sw.sw_step_begin(attempt[0], name, #name, nil, 0, nil, step, err)) == sw.SW_REPLAYED then
            print(name .. ": replayed " .. ffi.string(sw.sw_step_result(step[0], nil)))
        else
            local result = quote(assert(io.read(), "no more lines")) -- stands for the call that costs money
            ok(sw.sw_step_complete(step[0], result, #result, err))
            print(name .. ": recorded " .. result)
        end
        sw.sw_step_free(step[0])
    end
    ok(sw.sw_attempt_complete(attempt[0], '"sent"', sw.SW_NTS, err))
    sw.sw_attempt_free(attempt[0])
    print("the run is finished")
end
sw.sw_store_close(store[0])
