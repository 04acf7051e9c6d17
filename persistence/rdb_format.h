// The numbers of the RDB format: what Redis 2 to 8 and Valkey write. Facts of the published format.
//
//   "REDIS" version (4 digits) │ (opcode ...)* │ kEof │ CRC-64 of everything before, little endian (version 5 and later)
//
//   a key:   [kExpireMs time | kExpireSeconds time] [kIdle length] [kFreq byte] type │ key │ value
//   length:  00xxxxxx | 01xxxxxx xxxxxxxx | 10000000 4 bytes, big endian | 10000001 8 bytes, big endian
//   string:  length, bytes | 11000000 int8 | 11000001 int16 | 11000010 int32 (little endian)
//            | 11000011 packed length, length, LZF bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace larder {

// Written by default, and the newest whose every part is known here.
inline constexpr int kRdbVersion = 11;
inline constexpr int kRdbVersionMin = 10;             // that can be written: what Redis 7.0 reads
inline constexpr int kRdbVersionFieldDeadlines = 12;  // of files in which fields of hashes have deadlines
inline constexpr int kRdbVersionReadMax = 12;
// Valkey 9 begins its files with "VALKEY" and three digits, and counts from here.
inline constexpr int kRdbVersionValkey = 80;
inline constexpr size_t kRdbHeaderBytes = 9;
// Enough of a file's front to tell whether it is one: "REDIS", or "VALKE" of Valkey's.
inline constexpr size_t kRdbMagicBytes = 5;
inline bool begins_rdb(Bytes front) { return front == "REDIS" || front == "VALKE"; }
inline constexpr size_t kRdbChecksumBytes = 8;

enum class RdbOpcode : uint8_t {
  kSlotImport = 243,  // Valkey's
  kSlotInfo = 244,
  kFunction2 = 245,
  kFunctionPreGa = 246,
  kModuleAux = 247,
  kIdle = 248,
  kFreq = 249,
  kAux = 250,
  kResizeDb = 251,
  kExpireMs = 252,
  kExpireSeconds = 253,
  kSelectDb = 254,
  kEof = 255,
};

enum class RdbType : uint8_t {
  kString = 0,
  kList = 1,
  kSet = 2,
  kZset = 3,  // scores as text
  kHash = 4,
  kZset2 = 5,  // scores as 8 bytes
  kModulePreGa = 6,
  kModule2 = 7,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kZsetZiplist = 12,
  kHashZiplist = 13,
  kListQuicklist = 14,
  kStreamListpacks = 15,
  kHashListpack = 16,
  kZsetListpack = 17,
  kListQuicklist2 = 18,
  kStreamListpacks2 = 19,
  kSetListpack = 20,
  kStreamListpacks3 = 21,
  kHashMetadataPreGa = 22,
  kHashListpackExPreGa = 23,
  kHashMetadata = 24,
  kHashListpackEx = 25,
  // Not a byte of the format: what type 22 means in Valkey's files.
  kHashValkey = 200,
};

// What the type byte of a value means in a file or payload of this version. Nothing: there is no such type.
constexpr std::optional<RdbType> rdb_type_of(uint8_t byte, int version) {
  if (byte > static_cast<uint8_t>(RdbType::kHashListpackEx) || byte == 8) return {};
  const auto type = static_cast<RdbType>(byte);
  return version >= kRdbVersionValkey && type == RdbType::kHashMetadataPreGa ? RdbType::kHashValkey : type;
}

// Whether files and payloads of this version can be read.
constexpr bool is_rdb_version(uint64_t version) {
  return (version >= 1 && version <= kRdbVersionReadMax) || version == kRdbVersionValkey;
}

// The first RDB version that has the type: a payload of an older one must not hold it.
constexpr int rdb_version_of(RdbType type) {
  if (type >= RdbType::kHashMetadataPreGa) return kRdbVersionFieldDeadlines;
  if (type >= RdbType::kSetListpack) return 11;
  return kRdbVersionMin;
}

enum RdbStringEncoding : uint8_t { kRdbInt8 = 0, kRdbInt16 = 1, kRdbInt32 = 2, kRdbLzf = 3 };

// What a value of a module is made of; 0 ends it.
enum class RdbModulePart : uint8_t { kEof = 0, kSigned = 1, kUnsigned = 2, kFloat = 3, kDouble = 4, kString = 5 };

// Parts of a quicklist 2.
inline constexpr uint64_t kRdbQuicklistPlain = 1;
inline constexpr uint64_t kRdbQuicklistPacked = 2;

}  // namespace larder
