/* Texts of misuse_text.c: ids. */
#include "../misuse_text.h"

TEXT_PARAMETER(prefix_of_an_id, PREFIX, false) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_new_id(text, len, id, sizeof id, ERR);
    CHECK_TEXT("untouched", id);
    return code;
}
