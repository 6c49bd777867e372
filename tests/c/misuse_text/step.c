/* Texts of misuse_text.c: steps. */
#include "../misuse_text.h"

int32_t begin_given(const char *name, size_t name_len, const char *input, size_t input_len,
                    const sw_step_options *options) {
    sw_step *none = POISON(sw_step);
    int32_t code = sw_step_begin(attempt, name, name_len, input, input_len, options, &none, ERR);
    CHECK(none == NULL);
    return code;
}

TEXT_PARAMETER(name_of_a_step, NAME, false) { return begin_given(text, len, ABSENT, NULL); }

TEXT_PARAMETER(input_of_a_step, PAYLOAD, true) { return begin_given(NTS("s"), text, len, NULL); }

TEXT_PARAMETER(kind_of_a_step, NAME, true) {
    sw_step_options options = step_options();
    options.kind = text;
    options.kind_len = len;
    return begin_given(NTS("s"), ABSENT, &options);
}

TEXT_PARAMETER(result_of_a_step, PAYLOAD, true) { return sw_step_complete(step, text, len, ERR); }

TEXT_PARAMETER(error_of_a_step, PAYLOAD, true) { return sw_step_fail(step, text, len, NULL, ERR); }
