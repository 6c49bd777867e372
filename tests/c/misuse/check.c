/* Checking in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_store_check) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_store_check(object, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_store_check) { return sw_store_check(living[STORE], NULL, err); }

ON(STORE, sw_store_backup) { return sw_store_backup(object, temp_path("copy"), err); }
