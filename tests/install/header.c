/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A program outside the tree that uses what is installed: compiled as C and as C++, it opens a state and prints one of its fields. */
#include <gimstate.h>

#include <stdio.h>

static int print(void *user, const char *path, const struct gim_value *value)
{
	char text[64];
	(void)user;
	(void)gim_value_text(value, text, sizeof(text));
	(void)printf("%s = %s\n", path, text);
	return 0;
}

int main(int count, char **words)
{
	struct gim_state *state = NULL;
	struct gim_error error = GIM_ERROR_INIT;
	int result = gim_state_open(count > 1 ? words[1] : "-", &state, &error);
	if (!result)
		result = gim_state_decode(state, GIM_PART_GIM, NULL, NULL, &error);
	if (!result)
		result = gim_state_visit(state, "gim.provider", print, NULL, &error);
	gim_state_free(&state);
	if (result)
		(void)fprintf(stderr, "%s: %s\n", gim_code_name(error.code), error.text);
	return result ? 1 : 0;
}
