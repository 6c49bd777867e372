/* Texts of misuse_text.c: exports and imports. */
#include "../misuse_text.h"

static int32_t nothing_came(int32_t code, sw_text *out) {
    if (code < 0) CHECK(out == NULL);
    sw_text_free(out);
    return code;
}

TEXT_PARAMETER(run_id_of_an_export, TOKEN, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_export(store, text, len, ABSENT, &out, ERR);
    return nothing_came(code, out);
}

TEXT_PARAMETER(options_of_an_export, PAYLOAD, true) {
    sw_text *out = POISON(sw_text);
    const char *run_id = sw_attempt_run_id(attempt, NULL);
    int32_t code = sw_run_export(store, NTS(run_id), text, len, &out, ERR);
    return nothing_came(code, out);
}

TEXT_PARAMETER(document_of_an_import, PAYLOAD, false) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_import(store, text, len, ABSENT, &out, ERR);
    return nothing_came(code, out);
}

TEXT_PARAMETER(options_of_an_import, PAYLOAD, true) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_run_import(store, NTS("{}"), text, len, &out, ERR);
    return nothing_came(code, out);
}
