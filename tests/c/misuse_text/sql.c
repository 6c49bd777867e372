/* Texts of misuse_text.c: the host's own statements. */
#include "../misuse_text.h"

TEXT_PARAMETER(params_of_a_query, PAYLOAD, true) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_query(store, NTS("SELECT 1"), text, len, ABSENT, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(options_of_a_query, PAYLOAD, true) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_query(store, NTS("SELECT 1"), ABSENT, text, len, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(script_of_a_transaction, PAYLOAD, false) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_tx_run(store, attempt, NULL, text, len, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(sql_of_a_query, PAYLOAD, false) {
    sw_text *none = POISON(sw_text);
    int32_t code = sw_query(store, text, len, ABSENT, ABSENT, &none, ERR);
    CHECK(none == NULL);
    return code;
}
