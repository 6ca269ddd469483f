#!/usr/bin/env bash
# Usage: run.sh HEADER_DIR
# Compiles HEADER_DIR/net.h for a Cortex-M3, runs its self-test and one inference in QEMU, and prints
#   selftest 0
#   instructions N       of one inference
#   code N               bytes of instructions and constants, golden vectors and self-test left out
#   ram N                bytes of variables, without the stack
# Exit status 77 where gcc-arm-none-eabi or qemu-system-arm is not installed, 1 when a result differs.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
directory="$1"
for tool in arm-none-eabi-gcc arm-none-eabi-size qemu-system-arm; do
  command -v $tool >/dev/null || {
    echo "SKIPPED: no $tool (Debian: gcc-arm-none-eabi, qemu-system-arm). Not run on a Cortex-M."
    exit 77
  }
done

flags=(-mcpu=cortex-m3 -mthumb -std=c99 -O2 -ffreestanding -ffunction-sections -fdata-sections -Wall -Wextra -Werror)
arm-none-eabi-gcc "${flags[@]}" -I "$directory" -nostdlib -Wl,--gc-sections -T "$here/link.ld" "$here/main.c" -lgcc -o "$directory/net.elf"

# What the network itself takes: the same header without its self-test.
printf '#define net_NO_SELFTEST\n#include "net.h"\nvoid f(const void *x, net_result *y);\nvoid f(const void *x, net_result *y) { net_run(x, y); }\n' >"$directory/size.c"
arm-none-eabi-gcc "${flags[@]}" -pedantic -I "$directory" -c "$directory/size.c" -o "$directory/size.o"
# No libm, heap, soft floats: only memcpy, memset and the 64-bit helpers of the compiler.
if arm-none-eabi-nm -u "$directory/size.o" | grep -vE ' (memcpy|memset|memmove|__aeabi_(l[a-z]+|mem[a-z0-9]+|ui?divmod|ui?div|uldivmod|idivmod|idiv))$'; then
  echo "the header needs the symbols above"
  exit 1
fi
timeout 600 qemu-system-arm -M mps2-an385 -cpu cortex-m3 -icount shift=0 -nographic -monitor none -serial none \
  -semihosting-config enable=on,target=native -kernel "$directory/net.elf" 2>&1
arm-none-eabi-size "$directory/size.o" | awk 'NR == 2 { print "code " $1 + $2; print "ram " $3 }'
