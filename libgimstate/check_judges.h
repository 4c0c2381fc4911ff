/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judges of the rules in check_rules.c that have files of their own. */
#ifndef GIM_CHECK_JUDGES_H
#define GIM_CHECK_JUDGES_H

#include "check.h"

/* check_loss.c */
void gim_judge_lost(struct gim_judging *judging);
void gim_judge_filled(struct gim_judging *judging);

/* check_features.c */
void gim_judge_words(struct gim_judging *judging);
void gim_judge_hidden(struct gim_judging *judging);

#endif
