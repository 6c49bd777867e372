/* Attempts in the wrong hands. */
#include "../misuse.h"

ON_VIEW(ATTEMPT, sw_attempt_id)
ON_VIEW(ATTEMPT, sw_attempt_run_id)
ON_VIEW(ATTEMPT, sw_attempt_root_run_id)
ON_VIEW(ATTEMPT, sw_attempt_parent_run_id)
ON_VIEW(ATTEMPT, sw_attempt_workflow)
ON_VIEW(ATTEMPT, sw_attempt_queue)
ON_VIEW(ATTEMPT, sw_attempt_code_version)
ON_VIEW(ATTEMPT, sw_attempt_metadata)
ON_VIEW(ATTEMPT, sw_attempt_args)
ON_NUMBER(ATTEMPT, sw_attempt_number)
ON_NUMBER(ATTEMPT, sw_attempt_lease_expires_at_ms)
ON_FREE(ATTEMPT, sw_attempt_free)

ON(ATTEMPT, sw_attempt_heartbeat) { return sw_attempt_heartbeat(object, 0, err); }

ON(ATTEMPT, sw_attempt_check) { return sw_attempt_check(object, err); }

ON(ATTEMPT, sw_attempt_complete) { return sw_attempt_complete(object, NTS("2"), err); }

ON(ATTEMPT, sw_attempt_fail) { return sw_attempt_fail(object, NTS("2"), NULL, err); }

ON(ATTEMPT, sw_attempt_release) { return sw_attempt_release(object, 0, err); }
