// The types that ArgReader::take can produce, and the one place to add another: specialise ArgType<T> with
//   static ErrorText parse(Bytes text, T* out);   // the empty ErrorText when it worked
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/number_text.h"
#include "protocol/error_text.h"

namespace larder {

// The name of a key. A type of its own, so that a handler cannot pass a value where a key belongs.
struct Key {
  Bytes bytes;
  friend bool operator==(Key, Key) = default;
};

// A double that is not NaN; infinities are welcome.
struct Double {
  double value = 0;
};

template <class T>
struct ArgType;

template <>
struct ArgType<Bytes> {
  static ErrorText parse(Bytes text, Bytes* out) {
    *out = text;
    return {};
  }
};

template <>
struct ArgType<Key> {
  static ErrorText parse(Bytes text, Key* out) {
    out->bytes = text;
    return {};
  }
};

template <>
struct ArgType<int64_t> {
  static ErrorText parse(Bytes text, int64_t* out) {
    const auto value = parse_int64(text);
    if (!value) return kNotInteger;
    *out = *value;
    return {};
  }
};

template <>
struct ArgType<Double> {
  static ErrorText parse(Bytes text, Double* out) {
    const auto value = parse_double(text);
    if (!value) return kNotFloat;
    out->value = *value;
    return {};
  }
};

template <>
struct ArgType<long double> {
  static ErrorText parse(Bytes text, long double* out) {
    const auto value = parse_long_double(text);
    if (!value) return kNotFloat;
    *out = *value;
    return {};
  }
};

}  // namespace larder
