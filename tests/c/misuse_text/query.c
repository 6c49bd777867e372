/* Texts of misuse_text.c: documents. */
#include "../misuse_text.h"

TEXT_PARAMETER(run_id_of_a_get, TOKEN, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_get(store, text, len, &out, ERR);
    CHECK(out == NULL);
    return code;
}

TEXT_PARAMETER(run_id_of_a_history, TOKEN, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_history(store, text, len, ABSENT, 0, &out, ERR);
    CHECK(out == NULL);
    return code;
}

TEXT_PARAMETER(cursor_of_a_history, TOKEN, true) {
    sw_text *out = POISON(sw_text);
    const char *run_id = sw_attempt_run_id(attempt, NULL);
    int32_t code = sw_run_history(store, NTS(run_id), text, len, 0, &out, ERR);
    CHECK(out == NULL);
    return code;
}

TEXT_PARAMETER(run_id_of_an_explanation, TOKEN, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_explain(store, text, len, &out, ERR);
    CHECK(out == NULL);
    return code;
}
