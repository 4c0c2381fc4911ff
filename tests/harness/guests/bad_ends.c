/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ends that are no success, by a word of the command line. */
#include "hyperv.h"

static void triple(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = {0, 0};
	__asm__ volatile("lidt %0; ud2" ::"m"(nothing));
}

static void sleep_on(void)
{
	for (;;)
		halt();
}

void guest_main(void)
{
	if (has_word("three"))
		outl(0xf4, 3);
	if (has_word("triple"))
		triple();
	if (has_word("reset"))
		wrmsr(0x40000003, 1);
	if (has_word("crash")) {
		wrmsr(0x40000100, 1);
		wrmsr(0x40000105, UINT64_C(1) << 63);
	}
	if (has_word("halt"))
		sleep_on();
	while (has_word("loop"))
		pause();
}
