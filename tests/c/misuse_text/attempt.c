/* Texts of misuse_text.c: attempts. */
#include "../misuse_text.h"

TEXT_PARAMETER(result_of_an_attempt, PAYLOAD, true) {
    return sw_attempt_complete(attempt, text, len, ERR);
}

TEXT_PARAMETER(error_of_an_attempt, PAYLOAD, true) {
    return sw_attempt_fail(attempt, text, len, NULL, ERR);
}
