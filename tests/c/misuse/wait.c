/* Waiting in the wrong hands. */
#include "../misuse.h"

ON(ATTEMPT, sw_sleep) { return sw_sleep(object, NTS("s"), 0, err); }

ON(ATTEMPT, sw_attempt_suspend) { return sw_attempt_suspend(object, err); }

#define WAITS "[{\"sleep_ms\":0}]"

ON(ATTEMPT, sw_await_any) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_await_any(object, NTS("a"), NTS(WAITS), 0, &text, err);
    return with_text_set_to_null(code, text);
}

ON(ATTEMPT, sw_await_all) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_await_all(object, NTS("a"), NTS(WAITS), 0, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_await_any) {
    return sw_await_any(living[ATTEMPT], NTS("a"), NTS(WAITS), 0, NULL, err);
}

WITHOUT_OUTPUT(sw_await_all) {
    return sw_await_all(living[ATTEMPT], NTS("a"), NTS(WAITS), 0, NULL, err);
}
