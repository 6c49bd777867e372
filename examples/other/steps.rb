# Three steps of one run; start it again after any kill. Fiddle comes with Ruby: no gem, no compiler.
#   ruby steps.rb <libsmolwf.so> <file of the store>
require "fiddle/import"

module Smolwf
  extend Fiddle::Importer
  dlload ARGV[0]
  extern "const char *sw_code_name(int)"
  extern "const char *sw_error_message(void *)"
  extern "int sw_abi_check(unsigned int)"
  extern "int sw_json_quote(const char *, size_t, void *, void *)"
  extern "const char *sw_text_data(void *, void *)"
  extern "void sw_text_free(void *)"
  extern "int sw_store_open(const char *, void *, void *, void *)"
  extern "int sw_store_init(void *, void *, void *)"
  extern "void sw_store_close(void *)"
  extern "int sw_run_submit(void *, const char *, size_t, const char *, size_t, void *, void *, size_t, void *)"
  extern "int sw_run_claim(void *, const char *, size_t, void *, void *, void *)"
  extern "int sw_step_begin(void *, const char *, size_t, const char *, size_t, void *, void *, void *)"
  extern "const char *sw_step_result(void *, void *)"
  extern "int sw_step_complete(void *, const char *, size_t, void *)"
  extern "void sw_step_free(void *)"
  extern "int sw_attempt_complete(void *, const char *, size_t, void *)"
  extern "void sw_attempt_free(void *)"
  NONE, REPLAYED, NTS, ID_CAP = 1, 3, -1, 64
  ERR = Fiddle::Pointer.malloc(8, Fiddle::RUBY_FREE)

  def self.call(function, *arguments) # 0 and above are answers, below 0 are errors
    code = send("sw_#{function}", *arguments, ERR)
    code >= 0 ? code : raise("#{sw_code_name(code)}: #{sw_error_message(ERR.ptr)}")
  end

  def self.handle(function, *arguments) # calls what puts a handle into its last argument but err
    out = Fiddle::Pointer.malloc(8, Fiddle::RUBY_FREE)
    [call(function, *arguments, out), out.ptr]
  end

  def self.quote(text)
    _, json = handle(:json_quote, text, text.bytesize)
    sw_text_data(json, nil).to_s.tap { sw_text_free(json) }
  end
end

$stdout.sync = true
sw = Smolwf
sw.sw_abi_check(0).zero? or abort "the library does not fit this program"
_, store = sw.handle(:store_open, ARGV[1], nil)
sw.call(:store_init, store, "\0" * 4)
# A struct may be shorter than the library's: the rest counts as zeros. So only its beginning is laid out.
key = Fiddle::Pointer["letter 1"]
once = [88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, key.to_i, sw::NTS].pack("L2 Q2 q4 l L3 Q q")
sw.call(:run_submit, store, "letter", sw::NTS, nil, 0, once, "\0" * sw::ID_CAP, sw::ID_CAP)
claimed, attempt = sw.handle(:run_claim, store, nil, 0, [16, 0, 1000].pack("L2 q")) # wait_ms
if claimed == sw::NONE
  puts "nothing to do: the run has ended"
else
  %w[outline draft letter].each do |name|
    begun, step = sw.handle(:step_begin, attempt, name, name.bytesize, nil, 0, nil)
    if begun == sw::REPLAYED
      puts "#{name}: replayed #{sw.sw_step_result(step, nil)}"
    else
      line = $stdin.gets or abort "no more lines" # stands for the call that costs money
      result = sw.quote(line.chomp)
      sw.call(:step_complete, step, result, result.bytesize)
      puts "#{name}: recorded #{result}"
    end
    sw.sw_step_free(step)
  end
  sw.call(:attempt_complete, attempt, '"sent"', sw::NTS)
  sw.sw_attempt_free(attempt)
  puts "the run is finished"
end
sw.sw_store_close(store)
