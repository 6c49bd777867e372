/* The host's own statements in the wrong hands. */
#include "../misuse.h"

#define SCRIPT NTS("[{\"query\":\"SELECT 1\"}]")

ON(STORE, sw_query) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_query(object, NTS("SELECT 1"), ABSENT, ABSENT, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_tx_run) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_tx_run(object, NULL, NULL, SCRIPT, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_query) {
    return sw_query(living[STORE], NTS("SELECT 1"), ABSENT, ABSENT, NULL, err);
}
WITHOUT_OUTPUT(sw_tx_run) {
    return sw_tx_run(living[STORE], living[ATTEMPT], NULL, SCRIPT, NULL, err);
}
