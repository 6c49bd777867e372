/* Texts of misuse_text.c: waiting. */
#include "../misuse_text.h"

TEXT_PARAMETER(name_of_a_sleep, NAME, false) {
    return sw_sleep(attempt, text, len, 0, ERR);
}
