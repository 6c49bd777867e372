/* Waiting in the wrong hands. */
#include "../misuse.h"

ON(ATTEMPT, sw_sleep) {
    return sw_sleep(object, NTS("s"), 0, err);
}

ON(ATTEMPT, sw_attempt_suspend) {
    return sw_attempt_suspend(object, err);
}
