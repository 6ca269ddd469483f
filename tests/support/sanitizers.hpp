// Which sanitizer watches the tests.
#pragma once

namespace support {

#if defined(__has_feature)
#define BITGRAD_TEST_FEATURE(x) __has_feature(x)
#else
#define BITGRAD_TEST_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || BITGRAD_TEST_FEATURE(address_sanitizer)
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__) || BITGRAD_TEST_FEATURE(thread_sanitizer)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif

/// Both end the program where operator new would throw for an impossible size.
inline constexpr bool impossible_allocations_throw = !address_sanitizer && !thread_sanitizer;

}  // namespace support
