<?php
// Three steps of one run; start it again after any kill. PHP's FFI reads the header without preprocessor.
//   php steps.php <libsmolwf.so> <smolwf.cdef> <file of the store>
[, $library, $cdef, $path] = $argv;
$sw = FFI::cdef(file_get_contents($cdef), $library);
$err = $sw->new('sw_error *');
function ok(int $code): int { // 0 and above are answers, below 0 are errors
    global $sw, $err;
    if ($code >= 0) return $code;
    throw new RuntimeException($sw->sw_code_name($code) . ': ' . $sw->sw_error_message($err));
}
function quote(string $text): string {
    global $sw, $err;
    $json = $sw->new('sw_text *');
    ok($sw->sw_json_quote($text, strlen($text), FFI::addr($json), FFI::addr($err)));
    $copy = $sw->sw_text_data($json, null);
    $sw->sw_text_free($json);
    return $copy;
}

if ($sw->sw_abi_check($sw->SW_ABI_VERSION) !== $sw->SW_OK) exit("the library does not fit the header\n");
[$store, $attempt, $step] = [$sw->new('sw_store *'), $sw->new('sw_attempt *'), $sw->new('sw_step *')];
ok($sw->sw_store_open($path, null, FFI::addr($store), FFI::addr($err)));
ok($sw->sw_store_init($store, FFI::addr($sw->new('uint32_t')), FFI::addr($err)));
$key = $sw->new('char[9]'); // a text in a struct must live as long as the call that reads it
FFI::memcpy($key, 'letter 1', 8);
$once = $sw->new('sw_submit_options'); // PHP makes it all zeros
$once->struct_size = FFI::sizeof($once);
[$once->idempotency_key, $once->idempotency_key_len] = [FFI::addr($key[0]), $sw->SW_NTS];
ok($sw->sw_run_submit($store, 'letter', $sw->SW_NTS, null, 0, FFI::addr($once), $sw->new('char[64]'), 64, FFI::addr($err)));
$patient = $sw->new('sw_claim_options');
[$patient->struct_size, $patient->wait_ms] = [FFI::sizeof($patient), 1000];
if (ok($sw->sw_run_claim($store, null, 0, FFI::addr($patient), FFI::addr($attempt), FFI::addr($err))) === $sw->SW_NONE) {
    echo "nothing to do: the run has ended\n";
} else {
    foreach (['outline', 'draft', 'letter'] as $name) {
        if (ok($sw->sw_step_begin($attempt, $name, strlen($name), null, 0, null, FFI::addr($step), FFI::addr($err))) === $sw->SW_REPLAYED) {
            echo "$name: replayed ", $sw->sw_step_result($step, null), "\n";
        } else {
            $line = fgets(STDIN); // stands for the call that costs money
            if ($line === false) exit("no more lines\n");
            $result = quote(rtrim($line));
            ok($sw->sw_step_complete($step, $result, strlen($result), FFI::addr($err)));
            echo "$name: recorded $result\n";
        }
        $sw->sw_step_free($step);
    }
    ok($sw->sw_attempt_complete($attempt, '"sent"', $sw->SW_NTS, FFI::addr($err)));
    $sw->sw_attempt_free($attempt);
    echo "the run is finished\n";
}
$sw->sw_store_close($store);
