/* Texts and errors in the wrong hands. */
#include "../misuse.h"

ON_VIEW(TEXT, sw_text_data)
ON_NUMBER(ERROR, sw_error_engine_code)
ON_NUMBER(ERROR, sw_error_is_retryable)

ON(ERROR, sw_error_code) {
    (void)err;
    CHECK(sw_error_code(object) <= 0);
    return NO_CODE;
}

ON(ERROR, sw_error_message) {
    (void)err;
    const char *message = sw_error_message(object);
    CHECK(message == NULL || strlen(message) < 1000);
    return NO_CODE;
}

ON_FREE(TEXT, sw_text_free)
ON_FREE(ERROR, sw_error_free)

WITHOUT_OUTPUT(sw_json_quote) { return sw_json_quote(NTS("x"), NULL, err); }

WITH_ROOM(sw_new_id) { return sw_new_id(NTS("run"), out_id, cap, err); }
