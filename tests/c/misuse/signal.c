/* Messages in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_signal_send) {
    const char *run_id = sw_attempt_run_id(living[ATTEMPT], NULL);
    return sw_signal_send(object, NTS(run_id), NTS("s"), ABSENT, ABSENT, err);
}

ON(ATTEMPT, sw_signal_await) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_signal_await(object, NTS("s"), 0, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_signal_await) { return sw_signal_await(living[ATTEMPT], NTS("s"), 0, NULL, err); }
