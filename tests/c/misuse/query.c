/* Documents in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_run_get) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_get(object, NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_run_history) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_history(object, NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), ABSENT, 0,
                                  &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_run_get) {
    return sw_run_get(living[STORE], NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), NULL, err);
}

WITHOUT_OUTPUT(sw_run_history) {
    return sw_run_history(living[STORE], NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), ABSENT, 0,
                          NULL, err);
}
