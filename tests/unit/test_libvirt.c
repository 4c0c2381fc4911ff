/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tests the reader of libvirt's domain XML: which property of QEMU each setting becomes, and hostile texts. */
#include "qemu/libvirt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOMAIN(inside) "<domain type='kvm'>" inside "</domain>"
#define HYPERV(inside) DOMAIN("<features><hyperv>" inside "</hyperv></features>")

static struct qemu_config config;

/* All that was read, as one line. */
static const char *line(void)
{
	static char text[2048];
	(void)snprintf(text, sizeof(text), "%s -M %s -accel %s -smp %u/%u -m %llu -cpu %s", config.name, config.machine, config.accel,
	               config.vcpus, config.vcpus_max, (unsigned long long)config.ram_bytes, config.model);
	for (size_t i = 0; i < config.count; i++) {
		const size_t used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, ",%s=%s", config.properties[i].name, config.properties[i].value);
	}
	return text;
}

static void expect(const char *xml, const char *wanted)
{
	struct gim_error error = GIM_ERROR_INIT;
	memset(&config, 0, sizeof(config));
	assert_int_equal(qemu_libvirt_read(xml, strlen(xml), &config, &error), 0);
	assert_string_equal(line(), wanted);
}

static void refuse(const char *xml, int code, const char *words)
{
	struct gim_error error = GIM_ERROR_INIT;
	memset(&config, 0x5a, sizeof(config));
	struct qemu_config before = config;
	assert_int_equal(qemu_libvirt_read(xml, strlen(xml), &config, &error), code);
	assert_int_equal(error.code, code);
	assert_non_null(strstr(error.text, words));
	assert_memory_equal(&before, &config, sizeof(config));
}

static void test_machine(void **user)
{
	(void)user;
	expect(DOMAIN(""), " -M  -accel kvm -smp 0/0 -m 0 -cpu ");
	expect("<?xml version='1.0'?><!-- of a snapshot --><domainsnapshot><name>s</name>"
	       "<domain type='qemu' id='3'><name>vm &lt;1&gt;</name><memory unit='MiB'>2048</memory><vcpu placement='static' "
	       "current='2'>8</vcpu>"
	       "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><cpu mode='custom' match='exact'><model "
	       "fallback='forbid'>EPYC</model>"
	       "<feature policy='require' name='invtsc'/><feature policy='disable' name='svm'/></cpu></domain><domain "
	       "type='xen'/></domainsnapshot>",
	       "vm <1> -M pc-q35-7.2 -accel tcg -smp 2/8 -m 2147483648 -cpu EPYC,invtsc=on,svm=off");
	expect(DOMAIN("<memory>4</memory><vcpu>3</vcpu><cpu mode='host-passthrough'/>"), " -M  -accel kvm -smp 3/3 -m 4096 -cpu host");
	expect(DOMAIN("<cpu mode='maximum'/>"), " -M  -accel kvm -smp 0/0 -m 0 -cpu max");
	expect(DOMAIN("<cpu mode='host-model'/>"), " -M  -accel kvm -smp 0/0 -m 0 -cpu ");
}

static void test_enlightenments(void **user)
{
	(void)user;
	expect(
	    HYPERV("<relaxed state='on'/><vapic state='off'/><spinlocks state='on' retries='8191'/><stimer state='on'><direct "
	           "state='on'/></stimer>"
	           "<vendor_id state='on' value='abc'/><tlbflush state='off'><extended state='on'/></tlbflush><emsr_bitmap state='on'/>"),
	    " -M  -accel kvm -smp 0/0 -m 0 -cpu ,hv-relaxed=on,hv-vapic=off,hv-spinlocks=8191,hv-stimer=on,hv-stimer-direct=on,"
	    "hv-vendor-id=abc,hv-tlbflush=off,hv-tlbflush-ext=off,hv-emsr-bitmap=on");
	expect(HYPERV("<spinlocks state='off' retries='8191'/>"), " -M  -accel kvm -smp 0/0 -m 0 -cpu ");
	expect(DOMAIN("<features><kvm><hidden state='on'/><poll-control state='on'/></kvm><apic/><pvspinlock state='off'/></features>"
	              "<clock offset='utc'><timer name='kvmclock' present='no'/><timer name='hypervclock' present='yes'/>"
	              "<timer name='tsc' frequency='2600000000' mode='native'/><timer name='rtc' tickpolicy='catchup'/></clock>"),
	       " -M  -accel kvm -smp 0/0 -m 0 -cpu "
	       ",kvm=off,kvm-poll-control=on,kvm-pv-unhalt=off,kvmclock=off,hv-time=on,tsc-frequency=2600000000");
	expect(DOMAIN("<features><kvm><hidden state='off'/></kvm><apic eoi='on'/></features>"),
	       " -M  -accel kvm -smp 0/0 -m 0 -cpu ,kvm=on,kvm-pv-eoi=on");
	/* The same names elsewhere are something else. */
	expect(DOMAIN("<devices><hyperv><relaxed state='on'/></hyperv><timer name='tsc' frequency='1'/></devices>"),
	       " -M  -accel kvm -smp 0/0 -m 0 -cpu ");
}

static void test_rest(void **user)
{
	(void)user;
	expect(DOMAIN("<features><hyperv mode='passthrough'/></features>"), " -M  -accel kvm -smp 0/0 -m 0 -cpu ");
	assert_true(config.hypervisor_defaults);
	expect(DOMAIN("<features><hyperv mode='custom'/></features>"), " -M  -accel kvm -smp 0/0 -m 0 -cpu ");
	assert_false(config.hypervisor_defaults);
	assert_int_equal(qemu_config_add(&config, "hv-time", "on", NULL), 0);
	assert_int_equal(qemu_config_switch(&config, "hv-time"), QEMU_ON);
	assert_int_equal(qemu_config_add(&config, "hv-time", "off", NULL), 0);
	assert_int_equal(qemu_config_switch(&config, "hv-time"), QEMU_OFF);
	assert_int_equal(qemu_config_switch(&config, "hv-vapic"), QEMU_UNSAID);
	assert_true(qemu_libvirt_bid((const uint8_t *)"<domain type='kvm'>", 10));
	assert_false(qemu_libvirt_bid((const uint8_t *)"<VirtualBox", 10));
}

#define ARG(word) "<qemu:arg value='" word "'/>"
#define ARGUMENTS(inside)                                                                                                                  \
	"<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:commandline>" inside                             \
	"</qemu:commandline><vcpu>2</vcpu><cpu mode='host-passthrough'/><features><hyperv><relaxed "                                       \
	"state='on'/></hyperv></features></domain>"

/* What libvirt hands on stands behind its own, wherever it is in the description, and is read as QEMU reads it. */
static void test_arguments(void **user)
{
	(void)user;
	expect(ARGUMENTS(ARG("-cpu") ARG("host,-kvmclock,hv-time")), " -M  -accel kvm -smp 2/2 -m 0 -cpu host,kvmclock=off,hv-time=on");
	expect(ARGUMENTS(ARG("-global") ARG("host-x86_64-cpu.hv-vapic=on")),
	       " -M  -accel kvm -smp 2/2 -m 0 -cpu host,hv-vapic=on,hv-relaxed=on");
	expect(ARGUMENTS(ARG("-machine") ARG("q35,accel=tcg") ARG("-m") ARG("64") ARG("-smp") ARG("3")),
	       " -M q35 -accel kvm -smp 3/3 -m 67108864 -cpu host,hv-relaxed=on");
	/* An image of a disk, variables, an option that has nothing to do with it, and an element without a value. */
	expect(ARGUMENTS(ARG("/a b.img") "<qemu:env name='X' value='-cpu'/><qemu:arg/>" ARG("-device") ARG("vmcoreinfo") ARG("-S")),
	       " -M  -accel kvm -smp 2/2 -m 0 -cpu host,hv-relaxed=on");
	expect(DOMAIN("<devices><qemu:commandline><qemu:arg value='-S'/></qemu:commandline></devices><qemu:arg value='-smp'/>"),
	       " -M  -accel kvm -smp 0/0 -m 0 -cpu ");
	refuse(ARGUMENTS(ARG("-cpu")), GIM_E_VALUE, "-cpu lacks its argument");
	refuse(ARGUMENTS(ARG("-smp") ARG("none")), GIM_E_VALUE, "is not a number of vCPUs");
}

static char *nested(const char *what, unsigned count)
{
	char *text = malloc(strlen(what) * count + 64);
	strcpy(text, "<domain type='kvm'>");
	for (unsigned i = 0; i < count; i++)
		strcat(text, what);
	return text;
}

static void test_hostile(void **user)
{
	(void)user;
	refuse("", GIM_E_FORMAT, "no element found");
	refuse("<domain type='kvm'>", GIM_E_FORMAT, "broken XML in line 1");
	refuse("<network/>", GIM_E_FORMAT, "no description of a VM by libvirt");
	refuse("<domain type='xen'/>", GIM_E_FORMAT, "none of QEMU's");
	refuse("<domain/>", GIM_E_FORMAT, "none of QEMU's");
	refuse("<!DOCTYPE domain [<!ENTITY a 'aaaa'>]><domain type='kvm'/>", GIM_E_FORMAT, "document type");
	refuse(DOMAIN("<vcpu>0</vcpu>"), GIM_E_VALUE, "none of 1 to 65536");
	refuse(DOMAIN("<vcpu current='65537'>1</vcpu>"), GIM_E_VALUE, "none of 1 to 65536");
	refuse(DOMAIN("<memory unit='parsec'>1</memory>"), GIM_E_VALUE, "unit");
	refuse(DOMAIN("<memory unit='TiB'>18446744073709551615</memory>"), GIM_E_VALUE, "none that a VM can have");
	refuse(HYPERV("<vendor_id value='0123456789012345678901234567890123456789'/>"), GIM_E_VALUE, "longer");
	char *deep = nested("<a>", 300), *wide = nested("<features><kvm><hidden/></kvm></features>", 600);
	refuse(deep, GIM_E_LIMIT, "nested deeper");
	refuse(wide, GIM_E_LIMIT, "more than 512");
	free(deep);
	free(wide);
	/* A path that is longer than any that counts, and what follows it. */
	char text[1024];
	(void)snprintf(text, sizeof(text), DOMAIN("<a%0200d><b><c/></b></a%0200d><vcpu>7</vcpu>"), 0, 0);
	expect(text, " -M  -accel kvm -smp 7/7 -m 0 -cpu ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_machine),   cmocka_unit_test(test_enlightenments), cmocka_unit_test(test_rest),
	    cmocka_unit_test(test_arguments), cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
