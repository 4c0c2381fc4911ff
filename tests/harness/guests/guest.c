/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the guests share, made of nothing: no library is below it. */
#include "guest.h"

#include <stdarg.h>

#define PORT_SERIAL 0x3f8
#define PORT_END 0xf4
#define PORT_FW_CFG 0x510
#define FW_CFG_VCPUS 5
#define MULTIBOOT_BOOTED 0x2badb002u
#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC 0x800u
#define X2APIC_ENABLED 0x400u
#define APIC 0xfee00000u
enum {
	APIC_ID = 0x20,
	APIC_EOI = 0xb0,
	APIC_SVR = 0xf0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_TIMER = 0x320,
	APIC_COUNT = 0x380,
	APIC_DIVIDE = 0x3e0
};
#define VECTOR_WORK 0x20
#define VECTOR_GP 13
#define VECTOR_UD 6

struct frame {
	uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss;
};

struct handler {
	void (*run)(void);
	bool eoi;
};

extern uint8_t trampoline[], trampoline_end[], stubs[];
extern const uint32_t boot_info, boot_magic;
void guest_start(void);
void guest_join(void);
void guest_interrupt(struct frame *frame);
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int c, size_t size);

uint64_t idt[512];
uint32_t vcpus;
static struct handler handlers[256];
static bool x2apic;
static volatile uint32_t online, apic_ids[VCPUS_MAX];
static void (*volatile works[VCPUS_MAX])(void);
static volatile uint32_t done[VCPUS_MAX];
static volatile uint64_t recover[VCPUS_MAX], caught[VCPUS_MAX];
static uint32_t failed;
static volatile uint32_t print_lock;

/* The compiler calls them. */
void *memcpy(void *to, const void *from, size_t size)
{
	void *at = to;
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size)::"memory");
	return to;
}

void *memset(void *to, int c, size_t size)
{
	void *at = to;
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(c) : "memory");
	return to;
}

/*
 * The serial line.
 */
static void put(char c)
{
	while (!(inb(PORT_SERIAL + 5) & 0x20))
		pause();
	outb(PORT_SERIAL, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base)
{
	char digits[24];
	unsigned count = 0;
	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(digits[--count]);
}

static void put_format(const char *format, va_list arguments)
{
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		format++;
		if (*format == 's')
			for (const char *text = va_arg(arguments, const char *); *text; text++)
				put(*text);
		else if (*format == 'u' || *format == 'd')
			put_number(va_arg(arguments, uint32_t), 10);
		else if (*format == 'x')
			put_number(va_arg(arguments, uint32_t), 16);
		else if (*format == 'l' && format[1] == 'l' && format[2] == 'x')
			put_number(va_arg(arguments, uint64_t), 16), format += 2;
		else
			put(*format);
	}
}

void print(const char *format, ...)
{
	va_list arguments;
	while (__atomic_exchange_n(&print_lock, 1, __ATOMIC_ACQUIRE))
		pause();
	va_start(arguments, format);
	put_format(format, arguments);
	va_end(arguments);
	__atomic_store_n(&print_lock, 0, __ATOMIC_RELEASE);
}

bool report_row(const char *id, bool good, const char *file, int line)
{
	if (good) {
		print("%s ok\n", id);
		return true;
	}
	print("%s FAILED: %s:%u\n", id, file, (uint32_t)line);
	failed = 1;
	return false;
}

void skip(const char *id, const char *why)
{
	print("%s skipped: %s\n", id, why);
}

void leave(void)
{
	outl(PORT_END, failed);
	for (;;)
		__asm__ volatile("cli; hlt");
}

const char *word_value(const char *prefix)
{
	const char *line = (const char *)(uintptr_t) * (const uint32_t *)(uintptr_t)(boot_info + 16);
	for (const char *at = line; *at;) {
		const char *w = prefix;
		while (*at == ' ')
			at++;
		while (*w && *at == *w)
			at++, w++;
		if (!*w)
			return at;
		while (*at && *at != ' ')
			at++;
	}
	return NULL;
}

bool has_word(const char *word)
{
	const char *rest = word_value(word);
	return rest && (!*rest || *rest == ' ');
}

uint64_t word_number(const char *prefix, uint64_t otherwise)
{
	const char *text = word_value(prefix);
	uint64_t value = 0;
	for (; text && *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value ? value : otherwise;
}

/*
 * The local APIC.
 */
static uint32_t apic_read(uint32_t offset)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + offset / 16) : *(volatile uint32_t *)(uintptr_t)(APIC + offset);
}

static void apic_write(uint32_t offset, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + offset / 16, value);
	else
		*(volatile uint32_t *)(uintptr_t)(APIC + offset) = value;
}

static void send(uint32_t id, uint32_t command)
{
	if (x2apic) {
		wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)id << 32 | command);
		return;
	}
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR, command);
	while (apic_read(APIC_ICR) & 0x1000)
		pause();
}

void send_ipi(uint32_t vcpu, uint8_t vector)
{
	send(apic_ids[vcpu], 0x4000u | vector);
}

void start_timer(uint8_t vector, uint32_t count)
{
	enum { PERIODIC = 0x20000, BY_ONE = 0xb };
	apic_write(APIC_DIVIDE, BY_ONE);
	apic_write(APIC_TIMER, PERIODIC | vector);
	apic_write(APIC_COUNT, count);
}

static void enable_apic(void)
{
	if (x2apic)
		wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | X2APIC_ENABLED);
	apic_write(APIC_SVR, 0x1ff);
	apic_ids[this_vcpu()] = x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

/*
 * Interrupts.
 */
static void set_gate(unsigned vector)
{
	const uint64_t stub = (uint64_t)(uintptr_t)stubs + vector * STUB_BYTES;
	idt[2 * vector] = (stub & 0xffff) | CODE64 << 16 | (stub & 0xffff0000) << 32 | UINT64_C(0x8e0000000000);
	idt[2 * vector + 1] = stub >> 32;
}

void set_handler(uint8_t vector, void (*handler)(void), bool eoi)
{
	handlers[vector] = (struct handler){handler, eoi};
	barrier();
}

void guest_interrupt(struct frame *frame)
{
	const uint32_t vcpu = this_vcpu();
	const struct handler *handler = &handlers[frame->vector & 0xff];
	if (frame->vector < 32 && recover[vcpu]) {
		caught[vcpu] = frame->vector;
		frame->rip = recover[vcpu];
		recover[vcpu] = 0;
		return;
	}
	if (!handler->run) {
		print("vCPU %u: vector %u, error 0x%x, at 0x%x\n", vcpu, (uint32_t)frame->vector, (uint32_t)frame->error,
		      (uint32_t)frame->rip);
		failed = 2;
		leave();
	}
	handler->run();
	if (handler->eoi)
		apic_write(APIC_EOI, 0);
}

int rdmsr_safe(uint32_t msr, uint64_t *value)
{
	const uint32_t vcpu = this_vcpu();
	uint32_t low = 0, high = 0;
	caught[vcpu] = 0;
	__asm__ volatile("movq $1f, %2; rdmsr; 1:" : "+a"(low), "+d"(high), "=m"(recover[vcpu]) : "c"(msr) : "memory");
	recover[vcpu] = 0;
	*value = (uint64_t)high << 32 | low;
	return (int)caught[vcpu];
}

int wrmsr_safe(uint32_t msr, uint64_t value)
{
	const uint32_t vcpu = this_vcpu();
	caught[vcpu] = 0;
	__asm__ volatile("movq $1f, %0; wrmsr; 1:"
	                 : "=m"(recover[vcpu])
	                 : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
	                 : "memory");
	recover[vcpu] = 0;
	return (int)caught[vcpu];
}

/*
 * vCPUs.
 */
static void take_work(void)
{
}

void halt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

/* Do what this vCPU was asked to; false: nothing was asked. */
static bool serve(void)
{
	const uint32_t vcpu = this_vcpu();
	void (*work)(void) = works[vcpu];
	if (!work)
		return false;
	works[vcpu] = NULL;
	enable_interrupts();
	work();
	__atomic_fetch_add(&done[vcpu], 1, __ATOMIC_SEQ_CST);
	return true;
}

void guest_join(void)
{
	enable_apic();
	__atomic_fetch_add(&online, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		/* Interrupts are off between looking and halting, so that none is missed. */
		disable_interrupts();
		if (!serve())
			halt();
	}
}

/* The count that says that it is done. */
static uint32_t begin(uint32_t vcpu, void (*work)(void))
{
	const uint32_t end = done[vcpu] + 1;
	works[vcpu] = work;
	barrier();
	send_ipi(vcpu, VECTOR_WORK);
	return end;
}

/* Meanwhile the other may ask for something, too. */
static void wait_for(uint32_t vcpu, uint32_t end)
{
	while (done[vcpu] != end)
		if (!serve())
			pause();
}

void on_vcpu(uint32_t vcpu, void (*work)(void))
{
	if (vcpu == this_vcpu()) {
		work();
		return;
	}
	wait_for(vcpu, begin(vcpu, work));
}

void on_all(void (*work)(void))
{
	uint32_t ends[VCPUS_MAX];
	for (uint32_t i = 1; i < vcpus; i++)
		ends[i] = begin(i, work);
	work();
	for (uint32_t i = 1; i < vcpus; i++)
		wait_for(i, ends[i]);
}

static uint32_t read_vcpu_count(void)
{
	uint32_t count = 0;
	outw(PORT_FW_CFG, FW_CFG_VCPUS);
	for (unsigned i = 0; i < 4; i++)
		count |= (uint32_t)inb(PORT_FW_CFG + 1) << 8 * i;
	return count;
}

static void start_others(void)
{
	memcpy((void *)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	/* To all but this: INIT, then start-up at the trampoline's page. */
	send(0, 0xc4500);
	send(0, 0xc4600 | TRAMPOLINE >> 12);
	while (online + 1 != vcpus)
		pause();
}

void guest_start(void)
{
	for (unsigned vector = 0; vector < 256; vector++)
		set_gate(vector);
	outb(0x21, 0xff); /* the PIC is silent, if there is one */
	outb(0xa1, 0xff);
	set_handler(VECTOR_WORK, take_work, true);
	if (boot_magic != MULTIBOOT_BOOTED) {
		print("this is no multiboot loader: eax 0x%x\n", boot_magic);
		failed = 2;
		leave();
	}
	x2apic = has_word("x2apic");
	vcpus = read_vcpu_count();
	enable_apic();
	if (vcpus > VCPUS_MAX) {
		print("more than %u vCPUs\n", (uint32_t)VCPUS_MAX);
		failed = 2;
		leave();
	}
	start_others();
	enable_interrupts();
	guest_main();
	leave();
}
