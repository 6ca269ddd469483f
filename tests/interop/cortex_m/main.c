/* Runs net.h on a Cortex-M3 without an operating system or library: its self-test, then one inference whose instructions are
   counted. Prints "selftest R" and "instructions N" through semihosting (Arm's "Semihosting for AArch32 and AArch64"). */
#include "net.h"

static void semihosting(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text) { semihosting(0x04, text); } /* SYS_WRITE0 */

static void print_line(const char *name, uint32_t number) {
  char digits[12];
  char *at = digits + sizeof digits;
  *--at = 0;
  *--at = '\n';
  do *--at = (char)('0' + number % 10); while (number /= 10);
  print(name);
  print(at);
}

static void leave(uint32_t status) {
  const uint32_t block[2] = {0x20026, status}; /* ADP_Stopped_ApplicationExit */
  semihosting(0x20, block);                    /* SYS_EXIT_EXTENDED */
  for (;;) {}
}

/* The timer counts down at 25 MHz; QEMU's -icount shift=0 lets an instruction take 1 ns: a tick is 40 of them. */
#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)
#define INSTRUCTIONS_PER_TICK 40u

static net_result results[net_OUTPUT_SIZE];

static void run(void) {
  uint32_t start, end, failed;
  TIMER_RELOAD = 0xFFFFFFFFu;
  TIMER_VALUE = 0xFFFFFFFFu;
  TIMER_CONTROL = 1;
  failed = (uint32_t)net_selftest();
  print_line("selftest ", failed);
  start = TIMER_VALUE;
  net_run(net_golden_input, results);
  end = TIMER_VALUE;
  print_line("instructions ", (start - end) * INSTRUCTIONS_PER_TICK);
  leave(failed != 0);
}

/* What a freestanding compiler may call. */
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n);
void *memset(void *to, int value, __SIZE_TYPE__ n);
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(void *to, const void *from, __SIZE_TYPE__ n) {
  while (n--) ((char *)to)[n] = ((const char *)from)[n];
  return to;
}
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memset(void *to, int value, __SIZE_TYPE__ n) {
  while (n--) ((char *)to)[n] = (char)value;
  return to;
}

void reset(void);
void reset(void) { run(); }
static void fault(void) {
  print("fault\n");
  leave(2);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    (const void *)0x20400000, (const void *)reset, (const void *)fault, (const void *)fault,
    (const void *)fault,      (const void *)fault, (const void *)fault};
