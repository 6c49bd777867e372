/* The chapters, by what they are about. Each list ends with one that has no name. */

#ifndef TORTURE_CHAPTERS_H
#define TORTURE_CHAPTERS_H

#include "life.h"

extern const struct chapter chapters_of_runs[];
extern const struct chapter chapters_of_waits[];
extern const struct chapter chapters_of_stores[];
extern const struct chapter chapters_of_moves[];

#endif
