/* Lists in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_run_list) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_list(object, ABSENT, ABSENT, 0, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_run_count) {
    uint64_t count = 77;
    int32_t code = sw_run_count(object, ABSENT, 0, &count, err);
    CHECK(code >= 0 || count == 77);
    return code;
}

ON(STORE, sw_run_annotate) {
    return sw_run_annotate(object, NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), NTS("{}"), err);
}

ON(STORE, sw_run_act_many) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_act_many(object, NTS("resume"), ABSENT, 0, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_run_list) { return sw_run_list(living[STORE], ABSENT, ABSENT, 0, NULL, err); }

WITHOUT_OUTPUT(sw_run_act_many) {
    return sw_run_act_many(living[STORE], NTS("resume"), ABSENT, 0, NULL, err);
}

WITHOUT_OUTPUT(sw_run_count) { return sw_run_count(living[STORE], ABSENT, 0, NULL, err); }
