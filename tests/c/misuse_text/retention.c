/* Texts of misuse_text.c: pruning. */
#include "../misuse_text.h"

TEXT_PARAMETER(filter_of_a_prune, PAYLOAD, true) {
    sw_text *out = POISON(sw_text);
    int32_t code = sw_store_prune(store, text, len, 0, &out, ERR);
    if (code < 0) CHECK(out == NULL);
    sw_text_free(out);
    return code;
}

TEXT_PARAMETER(policy_of_retention, PAYLOAD, true) {
    return sw_retention_set(store, text, len, ERR);
}
