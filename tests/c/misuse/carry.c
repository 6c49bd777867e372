/* Exports and imports in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_run_export) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_export(object, NTS("run_x"), ABSENT, &text, err);
    return with_text_set_to_null(code, text);
}

ON(STORE, sw_run_import) {
    sw_text *text = POISON(sw_text);
    int32_t code = sw_run_import(object, NTS("{}"), ABSENT, &text, err);
    return with_text_set_to_null(code, text);
}

WITHOUT_OUTPUT(sw_run_export) {
    return sw_run_export(living[STORE], NTS("run_x"), ABSENT, NULL, err);
}

WITHOUT_OUTPUT(sw_run_import) { return sw_run_import(living[STORE], NTS("{}"), ABSENT, NULL, err); }
