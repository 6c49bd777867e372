/* Texts of misuse_text.c: lists. */
#include "../misuse_text.h"

TEXT_PARAMETER(filter_of_a_list, PAYLOAD, true) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_list(store, text, len, ABSENT, 0, &out, ERR);
    if (code < 0) CHECK(out == NULL);
    sw_text_free(out);
    return code;
}

TEXT_PARAMETER(cursor_of_a_list, TOKEN, true) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_list(store, ABSENT, text, len, 0, &out, ERR);
    if (code < 0) CHECK(out == NULL);
    sw_text_free(out);
    return code;
}

TEXT_PARAMETER(filter_of_a_count, PAYLOAD, true) {
    uint64_t count = 77;
    int32_t code = sw_run_count(store, text, len, 0, &count, ERR);
    CHECK(code >= 0 || count == 77);
    return code;
}

TEXT_PARAMETER(run_id_of_an_annotation, TOKEN, false) {
    return sw_run_annotate(store, text, len, NTS("{}"), ERR);
}

TEXT_PARAMETER(patch_of_an_annotation, PAYLOAD, false) {
    return sw_run_annotate(store, NTS(sw_attempt_run_id(attempt, NULL)), text, len, ERR);
}

TEXT_PARAMETER(action_of_an_act_on_many, NAME, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_act_many(store, text, len, ABSENT, 0, &out, ERR);
    if (code < 0) CHECK(out == NULL);
    sw_text_free(out);
    return code;
}

TEXT_PARAMETER(filter_of_an_act_on_many, PAYLOAD, true) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_act_many(store, NTS("resume"), text, len, 0, &out, ERR);
    if (code < 0) CHECK(out == NULL);
    sw_text_free(out);
    return code;
}
