/* Pruning in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_store_prune) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_store_prune(object, ABSENT, 0, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_store_prune) { return sw_store_prune(living[STORE], ABSENT, 0, NULL, err); }

ON(STORE, sw_retention_set) { return sw_retention_set(object, ABSENT, err); }

ON(STORE, sw_retention_get) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_retention_get(object, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_retention_get) { return sw_retention_get(living[STORE], NULL, err); }

ON(STORE, sw_store_compact) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_store_compact(object, 0, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_store_compact) { return sw_store_compact(living[STORE], 0, NULL, err); }
