/* Looking at a store as a whole, and why a run does not move, in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_store_stats) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_store_stats(object, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_queue_list) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_queue_list(object, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_owner_list) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_owner_list(object, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_run_explain) {
    sw_text *text = POISON(sw_text);
    int32_t code =
        sw_run_explain(object, NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_store_stats) { return sw_store_stats(living[STORE], NULL, err); }
WITHOUT_OUTPUT(sw_queue_list) { return sw_queue_list(living[STORE], NULL, err); }
WITHOUT_OUTPUT(sw_owner_list) { return sw_owner_list(living[STORE], NULL, err); }
WITHOUT_OUTPUT(sw_run_explain) {
    return sw_run_explain(living[STORE], NTS(sw_attempt_run_id(living[ATTEMPT], NULL)), NULL, err);
}
