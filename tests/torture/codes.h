/* What each function of the header may answer, as its documentation says. */

#ifndef TORTURE_CODES_H
#define TORTURE_CODES_H

#include <stdint.h>

/* Reads the documentation of all functions in a header. */
void codes_read(const char *header);

int codes_have(const char *function, int32_t code);

/* Whether a function shares the codes of those that write, so that it does more than to show. */
int codes_is_of_writing(const char *function);

/* Notes a call, and tells which of the writing and sweeping functions none was of. */
void codes_note_called(const char *function);
int codes_tell_called(void);

#endif
