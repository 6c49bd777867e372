/* Acting on runs from outside in the wrong hands. */
#include "../misuse.h"

#define NOBODY "run_00000000000000000000000000"

ON(STORE, sw_run_cancel) { return sw_run_cancel(object, NTS(NOBODY), ABSENT, err); }

ON(STORE, sw_run_pause) { return sw_run_pause(object, NTS(NOBODY), err); }

ON(STORE, sw_run_resume) { return sw_run_resume(object, NTS(NOBODY), err); }

ON(STORE, sw_run_retry) { return sw_run_retry(object, NTS(NOBODY), err); }

ON(STORE, sw_run_fork) {
    char id[SW_ID_CAP] = "untouched";
    int32_t code = sw_run_fork(object, NTS(NOBODY), ABSENT, id, sizeof id, err);
    CHECK_TEXT("untouched", id);
    return code;
}

WITH_ROOM(sw_run_fork) { return sw_run_fork(living[STORE], NTS(NOBODY), ABSENT, out_id, cap, err); }
