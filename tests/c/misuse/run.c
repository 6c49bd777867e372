/* Submitting, finding and claiming in the wrong hands. */
#include "../misuse.h"

ON(STORE, sw_run_submit) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_submit(object, NTS("w"), ABSENT, NULL, id, sizeof id, err);
    CHECK_TEXT("untouched", id);
    return code;
}

ON(STORE, sw_run_find) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_find(object, ABSENT, NTS("k"), id, sizeof id, err);
    CHECK_TEXT("untouched", id);
    return code;
}

ON(STORE, sw_run_claim) {
    sw_attempt *attempt = POISON(sw_attempt);
    int32_t code = sw_run_claim(object, ABSENT, NULL, &attempt, err);
    CHECK(attempt == NULL);
    return code;
}

WITH_ROOM(sw_run_submit) {
    return sw_run_submit(living[STORE], NTS("w"), ABSENT, NULL, out_id, cap, err);
}

WITH_ROOM(sw_run_find) { return sw_run_find(living[STORE], ABSENT, NTS("k"), out_id, cap, err); }

WITHOUT_OUTPUT(sw_run_claim) { return sw_run_claim(living[STORE], ABSENT, NULL, NULL, err); }
