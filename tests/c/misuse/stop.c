/* Stops in the wrong hands. */
#include "../misuse.h"

ON_FREE(STOP, sw_stop_free)
ON_FREE(STOP, sw_stop_fire)

WITHOUT_OUTPUT(sw_stop_new) { return sw_stop_new(NULL, err); }
