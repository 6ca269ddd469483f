# Shared by scripts/build, scripts/test and scripts/demo: stages with their times, and the Debian packages bitgrad needs.
# To be sourced by bash. It leaves the caller in the root of the source tree.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
script="scripts/$(basename "$0")"
cd "$root"
build_dir="$root/build"

# Package | why.
packages=(
  "g++|the C++20 compiler (clang 14 or later does as well: CXX=clang++)"
  "cmake|configures the build"
  "ninja-build|runs the build"
  "pkg-config|finds OpenBLAS where it has no CMake package"
  "libxtensor-dev|arrays of users, in core/xt.hpp and its tests"
  "libxtensor-blas-dev|their linear algebra, in these tests"
  "libopenblas-dev|matrix products"
  "zlib1g-dev|reads .gz and .npz files"
  "libpng-dev|reads PNG pictures"
  "libjpeg62-turbo-dev|reads JPEG pictures"
  "nlohmann-json3-dev|reads and writes JSON inside the library"
  "libcli11-dev|command line of the bitgrad program"
  "catch2|test framework"
)
data_packages=(
  "dataset-fashion-mnist|70,000 labelled 28x28 images to train and test on"
)

say() { printf '%s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# stage NAME COMMAND...: runs the command, then says how long it took.
stage() {
  local name="$1" start="$EPOCHREALTIME"
  shift
  say "==> $name"
  "$@"
  say "    $name: $(seconds_since "$start") s"
}

seconds_since() {
  local now="$EPOCHREALTIME"
  local tenths=$(((${now/[.,]/} - ${1/[.,]/}) / 100000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}

# Prints the comment at the top of the script, from line 2 to the first line that is none.
print_help() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$script"; }

# parse_options ARGUMENTS...: --help and --no-install, which every script takes. Others stay in `rest`.
install_packages=yes
rest=()
parse_options() {
  local argument
  for argument in "$@"; do
    case "$argument" in
      -h | --help)
        print_help
        exit 0
        ;;
      --no-install) install_packages=no ;;
      *) rest+=("$argument") ;;
    esac
  done
}

no_more_options() {
  [ ${#rest[@]} -eq 0 ] || die "unknown option '${rest[0]}'; see $script --help"
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]; }

# cannot_install REASON NAMES...: ends the script with the command that the reader has to run.
cannot_install() {
  local reason="$1"
  shift
  {
    say "error: $reason"
    say "Packages that are missing: $*"
    say "On Debian, as root:  apt-get update && apt-get install --no-install-recommends $*"
    say "Elsewhere install what corresponds to them. Then start this script again (with --no-install where there is no dpkg)."
  } >&2
  exit 1
}

as_root=()
apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -o APT::Install-Recommends=false "$@"
}

# ensure_packages "NAME|REASON"...: installs those that are missing.
ensure_packages() {
  [ "$install_packages" = yes ] || {
    say "    not looking at packages (--no-install)"
    return 0
  }
  local missing=() entry
  if ! command -v dpkg-query >/dev/null; then
    for entry in "$@"; do missing+=("${entry%%|*}"); done
    cannot_install "this system has no dpkg, so the packages below can be neither checked nor installed." "${missing[@]}"
  fi
  for entry in "$@"; do
    is_installed "${entry%%|*}" && continue
    missing+=("${entry%%|*}")
    printf '    missing: %-24s %s\n' "${entry%%|*}" "${entry#*|}"
  done
  if [ ${#missing[@]} -eq 0 ]; then
    say "    all $# packages are there"
    return 0
  fi

  command -v apt-get >/dev/null || cannot_install "there is no apt-get to install with." "${missing[@]}"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || cannot_install "installing needs root, and there is no sudo." "${missing[@]}"
    as_root=(sudo)
    [ -t 0 ] || as_root=(sudo -n) # nobody there to type a password
    "${as_root[@]}" true || cannot_install "installing needs root, and sudo refused." "${missing[@]}"
  fi
  say "    installing them with apt-get"
  # The lists of a fresh machine are empty, those of an old one name files that are gone: then they are fetched first.
  if ! apt_get install --simulate "${missing[@]}" >/dev/null 2>&1 || ! apt_get install -y "${missing[@]}"; then
    say "    the package lists are missing or old; fetching new ones"
    apt_get update || true # lists that cannot be fetched may be none of ours; the next line tells
    apt_get install -y "${missing[@]}" || cannot_install "apt-get failed, see above. Is there no network?" "${missing[@]}"
  fi
}

# configure: Release into build/, with everything switched on. An existing build keeps its generator.
configure() {
  command -v cmake >/dev/null || die "there is no cmake, and packages are not to be installed (--no-install)"
  local generator=()
  [ -f "$build_dir/CMakeCache.txt" ] || generator=(-G Ninja)
  cmake -S "$root" -B "$build_dir" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DBITGRAD_SANITIZE= \
    -DBITGRAD_BUILD_TESTS=ON -DBITGRAD_BUILD_EXAMPLES=ON -DBITGRAD_BUILD_CLI=ON
}

# compile TARGETS...
compile() { cmake --build "$build_dir" --parallel "$(nproc)" --target "$@"; }

# train_once DIRECTORY OPTIONS...: one run of bitgrad train, which knows itself what is left of one that was started before.
train_once() {
  local resume=()
  [ ! -f "$1/run.json" ] || resume=(--resume)
  build/bin/bitgrad train --out "$1" "${resume[@]}" "${@:2}"
}
