/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instructions in guest memory as text, by libcapstone, which is loaded when it is needed. */
#include "error.h"
#include "loaded.h"

#include <capstone/capstone.h>
#include <stdio.h>

struct capstone {
	cs_err (*open)(cs_arch arch, cs_mode mode, csh *handle);
	cs_err (*close)(csh *handle);
	cs_insn *(*new_instruction)(csh handle);
	void (*free)(cs_insn *instruction, size_t count);
	bool (*next)(csh handle, const uint8_t **code, size_t *size, uint64_t *address, cs_insn *instruction);
};

#define SYMBOL(name_, member)                                                                                                              \
	{                                                                                                                                  \
		.name = name_, .offset = offsetof(struct capstone, member)                                                                 \
	}
static const struct gim_symbol symbols[] = {SYMBOL("cs_open", open), SYMBOL("cs_close", close), SYMBOL("cs_malloc", new_instruction),
                                            SYMBOL("cs_free", free), SYMBOL("cs_disasm_iter", next)};

static int visit_all(const struct capstone *capstone, csh handle, cs_insn *instruction, const uint8_t *bytes, size_t size, uint64_t address,
                     gim_instruction_fn *visit, void *user)
{
	char text[sizeof(instruction->mnemonic) + sizeof(instruction->op_str) + 2];
	int result = 0;
	while (!result && size) {
		const uint8_t *at = bytes;
		const uint64_t here = address;
		if (capstone->next(handle, &bytes, &size, &address, instruction)) {
			(void)snprintf(text, sizeof(text), "%s%s%s", instruction->mnemonic, *instruction->op_str ? " " : "",
			               instruction->op_str);
			result = visit(user, here, at, instruction->size, text);
		} else {
			result = visit(user, here, at, 1, "(bad)");
			bytes = at + 1;
			address = here + 1;
			size--;
		}
	}
	return result;
}

int gim_disassemble(const void *bytes, size_t size_bytes, uint64_t address, unsigned bits, gim_instruction_fn *visit, void *user,
                    struct gim_error *error)
{
	struct capstone capstone;
	csh handle;
	if (bits != 16 && bits != 32 && bits != 64)
		return gim_fail(error, GIM_E_ARGUMENT, GIM_UNKNOWN, "there is no code of %u bits: 16, 32 and 64 are known", bits);
	int result = gim_load("libcapstone.so.4", symbols, sizeof(symbols) / sizeof(symbols[0]), &capstone, "disassembling", error);
	if (result)
		return result;
	const cs_mode mode = bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16;
	if (capstone.open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK)
		return gim_fail(error, GIM_E_UNSUPPORTED, GIM_UNKNOWN, "libcapstone does not know x86");
	cs_insn *instruction = capstone.new_instruction(handle);
	result = instruction ? visit_all(&capstone, handle, instruction, (const uint8_t *)bytes, size_bytes, address, visit, user)
	                     : gim_fail(error, GIM_E_MEMORY, GIM_UNKNOWN, "out of memory");
	if (instruction)
		capstone.free(instruction, 1);
	(void)capstone.close(&handle);
	return result;
}
