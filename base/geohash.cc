#include "base/geohash.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.h"

namespace larder {
namespace {

constexpr uint32_t kStepsMax = 26;  // bits of each coordinate
constexpr double kEarthRadiusM = 6372797.560856;
constexpr double kMercatorMaxM = 20037726.37;
constexpr double kDegree = M_PI / 180.0;

// Of GeoShape::guess(), with room to spare.
constexpr double kGuessError = 1e-7;

double radians(double degrees) { return degrees * kDegree; }
double degrees(double radians) { return radians / kDegree; }

// ---- Bits that take turns

constexpr uint64_t kEvenBits = 0x5555555555555555;
constexpr uint64_t kOddBits = 0xaaaaaaaaaaaaaaaa;

// Bit i of `value` goes to bit 2i.
uint64_t spread_bits(uint32_t value) {
  uint64_t bits = value;
  bits = (bits | bits << 16) & 0x0000ffff0000ffff;
  bits = (bits | bits << 8) & 0x00ff00ff00ff00ff;
  bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0f;
  bits = (bits | bits << 2) & 0x3333333333333333;
  return (bits | bits << 1) & kEvenBits;
}

uint32_t gather_bits(uint64_t bits) {
  bits &= kEvenBits;
  bits = (bits | bits >> 1) & 0x3333333333333333;
  bits = (bits | bits >> 2) & 0x0f0f0f0f0f0f0f0f;
  bits = (bits | bits >> 4) & 0x00ff00ff00ff00ff;
  bits = (bits | bits >> 8) & 0x0000ffff0000ffff;
  return static_cast<uint32_t>(bits | bits >> 16);
}

// ---- Cells: a number of 2 * steps bits

struct Cell {
  uint64_t bits = 0;
  uint32_t steps = 0;
};

struct CellArea {
  double longitude_min, longitude_max, latitude_min, latitude_max;
};

// `latitude_max`: where the grid ends.
Cell cell_of(GeoPoint point, uint32_t steps, double latitude_max) {
  const double cells = static_cast<double>(uint64_t{1} << steps);
  const double latitude = (point.latitude + latitude_max) / (2 * latitude_max) * cells;
  const double longitude = (point.longitude + kLongitudeMax) / (2 * kLongitudeMax) * cells;
  return {spread_bits(static_cast<uint32_t>(latitude)) | spread_bits(static_cast<uint32_t>(longitude)) << 1, steps};
}

CellArea area_of(Cell cell) {
  const double side = 1 / static_cast<double>(uint64_t{1} << cell.steps);  // a power of two: to multiply by it is exact
  const auto latitude = static_cast<double>(gather_bits(cell.bits));
  const auto longitude = static_cast<double>(gather_bits(cell.bits >> 1));
  constexpr double kLatitudes = 2 * kLatitudeMax;
  constexpr double kLongitudes = 2 * kLongitudeMax;
  return {-kLongitudeMax + longitude * side * kLongitudes, -kLongitudeMax + (longitude + 1) * side * kLongitudes,
          -kLatitudeMax + latitude * side * kLatitudes, -kLatitudeMax + (latitude + 1) * side * kLatitudes};
}

// Places on the last meridian or parallel are in cells of their own, one behind the grid. Such a cell is taken for the first
// one beyond the line, or for what it is: then only what moves comes back into the grid.
enum class Edge : uint8_t { kWraps, kStays };

// The neighbour so many cells east (1, 0 or -1) and north, around the earth.
Cell neighbour(Cell cell, int east, int north, Edge edge = Edge::kWraps) {
  const uint64_t columns = kOddBits >> (64 - cell.steps * 2);
  const uint64_t rows = kEvenBits >> (64 - cell.steps * 2);
  uint64_t x = cell.bits & kOddBits;
  uint64_t y = cell.bits & kEvenBits;
  // With the other coordinate's bits all set, or none, a carry or borrow passes over them.
  if (east > 0) x += rows + 1;
  if (east < 0) x = (x | rows) - (rows + 1);
  if (east != 0 || edge == Edge::kWraps) x &= columns;
  if (north > 0) y += columns + 1;
  if (north < 0) y = (y | columns) - (columns + 1);
  if (north != 0 || edge == Edge::kWraps) y &= rows;
  return {x | y, cell.steps};
}

GeoShape::Range range_of(Cell cell) {
  const uint32_t shift = (kStepsMax - cell.steps) * 2;
  return {cell.bits << shift, (cell.bits + 1) << shift};
}

// How fine a grid may be for nine cells of it to cover a circle of that radius.
uint32_t estimate_steps(double radius_m, double latitude) {
  if (radius_m == 0) return kStepsMax;
  int steps = 1;
  while (radius_m < kMercatorMaxM) {
    radius_m *= 2;
    steps++;
  }
  steps -= 2;  // the centre may be anywhere in its cell
  // Cells get narrow towards the poles.
  if (latitude > 66 || latitude < -66) {
    steps--;
    if (latitude > 80 || latitude < -80) steps--;
  }
  return static_cast<uint32_t>(std::clamp(steps, 1, static_cast<int>(kStepsMax)));
}

double latitude_distance_m(double a, double b) { return kEarthRadiusM * std::fabs(radians(b) - radians(a)); }

}  // namespace

uint64_t geohash_encode(GeoPoint point) {
  LARDER_ASSERT(point.is_valid());
  return cell_of(point, kStepsMax, kLatitudeMax).bits;
}

GeoPoint geohash_decode(uint64_t bits) {
  const CellArea area = area_of({bits, kStepsMax});
  return {std::clamp((area.longitude_min + area.longitude_max) / 2, -kLongitudeMax, kLongitudeMax),
          std::clamp((area.latitude_min + area.latitude_max) / 2, -kLatitudeMax, kLatitudeMax)};
}

GeoPoint geohash_decode_score(double score) {
  if (score >= -0x1p63 && score < 0x1p63) return geohash_decode(static_cast<uint64_t>(static_cast<int64_t>(score)));
  // No place at all; these are what x86 converts such numbers to.
  if (score < 0) return geohash_decode(uint64_t{1} << 63);
  return geohash_decode(score < 0x1p64 ? static_cast<uint64_t>(score) : 0);
}

void write_geohash_text(GeoPoint point, char (&out)[kGeohashTextBytes]) {
  constexpr char kAlphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr double kWholeLatitudes = 90;
  const uint64_t bits = cell_of(point, kStepsMax, kWholeLatitudes).bits;
  for (uint32_t i = 0; i < kGeohashTextBytes - 1; i++) out[i] = kAlphabet[(bits >> (52 - (i + 1) * 5)) & 31];
  out[kGeohashTextBytes - 1] = kAlphabet[0];  // two bits are left, which make no character
}

double geo_distance_m(GeoPoint a, GeoPoint b) {
  const double v = std::sin((radians(b.longitude) - radians(a.longitude)) / 2);
  // Nearly the same meridian: the rest of the formula adds nothing.
  if (v == 0.0) return latitude_distance_m(a.latitude, b.latitude);
  const double a_latitude = radians(a.latitude);
  const double b_latitude = radians(b.latitude);
  const double u = std::sin((b_latitude - a_latitude) / 2);
  const double haversine = u * u + std::cos(a_latitude) * std::cos(b_latitude) * v * v;
  return 2.0 * kEarthRadiusM * std::asin(std::sqrt(haversine));
}

// ---- Shapes

void GeoShape::prepare() {
  // Distances within rounding of the limit are computed in full; what is farther by more than that is not inside.
  constexpr double kTolerance = 1 + 1e-9;
  center_latitude_radians_ = radians(center_.latitude);
  center_latitude_cosine_ = std::cos(center_latitude_radians_);
  center_latitude_sine_ = std::sin(center_latitude_radians_);
  const double angle = reach_m_ * kTolerance / kEarthRadiusM / 2;
  const double sine = angle < M_PI / 2 ? std::sin(angle) : 1;
  haversine_max_ = sine * sine * kTolerance + 1e-30;
  haversine_sure_ = angle < M_PI / 2 ? sine * sine * (1 - kGuessError) : 0;
}

// No point that is inside by any rounding may be outside of the window, so it is larger by some cells. Around a pole, and across
// the last meridian, it has all longitudes.
void GeoShape::prepare_window() {
  constexpr double kMarginDegrees = 1e-5;
  const double angle = reach_m_ / kEarthRadiusM;
  if (!(angle < M_PI / 4) || !center_.is_valid()) return;
  const double latitudes = degrees(angle) * (1 + kGuessError) + kMarginDegrees;
  const auto clamped = [](double degrees, double max) { return std::clamp(degrees, -max, max); };
  const auto bits_at = [](double longitude, double latitude) {
    const uint64_t last =
        (uint64_t{1} << kStepsMax * 2) - 1;  // a place on the last meridian or parallel is beyond the grid
    const bool is_last_row = latitude >= kLatitudeMax;
    const bool is_last_column = longitude >= kLongitudeMax;
    const uint64_t bits = cell_of({longitude, latitude}, kStepsMax, kLatitudeMax).bits;
    return ((is_last_row ? last : bits) & kEvenBits) | ((is_last_column ? last : bits) & kOddBits);
  };
  const double south = clamped(center_.latitude - latitudes, kLatitudeMax);
  const double north = clamped(center_.latitude + latitudes, kLatitudeMax);
  latitude_bits_min_ = bits_at(0, south) & kEvenBits;
  latitude_bits_span_ = (bits_at(0, north) & kEvenBits) - latitude_bits_min_;
  const double sine = std::sin(radians(latitudes)) / center_latitude_cosine_;
  if (!(sine < 1)) return;
  const double longitudes = degrees(std::asin(sine)) * (1 + kGuessError) + kMarginDegrees;
  const double west = center_.longitude - longitudes;
  const double east = center_.longitude + longitudes;
  if (west <= -kLongitudeMax || east >= kLongitudeMax) return;
  longitude_bits_min_ = bits_at(west, 0) & kOddBits;
  longitude_bits_span_ = (bits_at(east, 0) & kOddBits) - longitude_bits_min_;
}

GeoShape GeoShape::circle(GeoPoint center, double radius_m) {
  GeoShape shape;
  shape.center_ = center;
  shape.width_m_ = shape.height_m_ = 2 * radius_m;
  shape.reach_m_ = radius_m;
  shape.prepare();
  shape.prepare_window();
  return shape;
}

GeoShape GeoShape::box(GeoPoint center, double width_m, double height_m) {
  GeoShape shape;
  shape.kind_ = Kind::kBox;
  shape.center_ = center;
  shape.width_m_ = width_m;
  shape.height_m_ = height_m;
  shape.reach_m_ = std::sqrt((width_m / 2) * (width_m / 2) + (height_m / 2) * (height_m / 2));
  shape.prepare();
  return shape;
}

GeoShape GeoShape::polygon(std::vector<GeoPoint> vertices) {
  LARDER_ASSERT(vertices.size() >= 3);
  GeoShape shape;
  shape.kind_ = Kind::kPolygon;
  double x = 0;
  double y = 0;
  double z = 0;
  for (const GeoPoint& vertex : vertices) {
    const double longitude = radians(vertex.longitude);
    const double latitude = radians(vertex.latitude);
    x += std::cos(latitude) * std::cos(longitude);
    y += std::cos(latitude) * std::sin(longitude);
    z += std::sin(latitude);
  }
  shape.center_ = {degrees(std::atan2(y, x)),
                   std::clamp(degrees(std::atan2(z, std::hypot(x, y))), -kLatitudeMax, kLatitudeMax)};
  for (const GeoPoint& vertex : vertices) {
    shape.reach_m_ = std::max(shape.reach_m_, geo_distance_m(shape.center_, vertex));
  }
  shape.vertices_ = std::move(vertices);
  shape.prepare();
  return shape;
}

// What the haversine formula will say of a point so far north and east of the centre, by the first terms of the series: of angles
// up to kNearRadians these are right to 2e-8, and most points are nearer to the centre, or farther from it, than that matters.
GeoShape::Guess GeoShape::guess(double north_radians, double east_radians) const {
  constexpr double kNearRadians = 0.1;
  const auto sine = [](double x) { return x - x * x * x * (1.0 / 6) + x * x * x * x * x * (1.0 / 120); };
  if (std::fabs(north_radians) > kNearRadians || std::fabs(east_radians) > kNearRadians) return Guess::kUnsure;
  const double u = sine(north_radians / 2);
  const double v = sine(east_radians / 2);
  const double square = north_radians * north_radians;
  const double cosine = center_latitude_cosine_ * (1 - square * (1.0 / 2) + square * square * (1.0 / 24)) -
                        center_latitude_sine_ * sine(north_radians);
  const double haversine = u * u + center_latitude_cosine_ * cosine * v * v;
  if (haversine > haversine_max_ * (1 + kGuessError)) return Guess::kOutside;
  return haversine < haversine_sure_ ? Guess::kInside : Guess::kUnsure;
}

bool GeoShape::circle_contains(GeoPoint point, double* distance_m) const {
  const double latitude = radians(point.latitude);
  const double north = latitude - center_latitude_radians_;
  const double east = radians(point.longitude) - radians(center_.longitude);
  const Guess guessed = guess(north, east);
  if (guessed == Guess::kOutside) return false;
  if (guessed == Guess::kInside && distance_m == nullptr) return true;
  const double u = std::sin(north / 2);
  if (u * u > haversine_max_) return false;
  const double v = std::sin(east / 2);
  double distance;
  if (v == 0.0) {
    distance = latitude_distance_m(center_.latitude, point.latitude);
  } else {
    const double haversine = u * u + center_latitude_cosine_ * std::cos(latitude) * v * v;
    if (haversine > haversine_max_) return false;
    distance = 2.0 * kEarthRadiusM * std::asin(std::sqrt(haversine));
  }
  if (distance_m != nullptr) *distance_m = distance;
  return distance <= reach_m_;
}

bool GeoShape::contains(GeoPoint point, double* distance_m) const {
  if (kind_ == Kind::kCircle) return circle_contains(point, distance_m);
  if (kind_ == Kind::kBox) {
    if (latitude_distance_m(point.latitude, center_.latitude) > height_m_ / 2) return false;
    if (geo_distance_m(point, {center_.longitude, point.latitude}) > width_m_ / 2) return false;
  } else if (!polygon_contains(point)) {
    return false;
  }
  if (distance_m != nullptr) *distance_m = geo_distance_m(center_, point);
  return true;
}

bool GeoShape::contains_score(double score, double* distance_m) const {
  if (!(score >= 0 && score < 0x1p52)) return contains(geohash_decode_score(score), distance_m);
  const auto bits = static_cast<uint64_t>(score);
  const bool is_outside = ((bits & kEvenBits) - latitude_bits_min_ > latitude_bits_span_) |
                          ((bits & kOddBits) - longitude_bits_min_ > longitude_bits_span_);
  return !is_outside && contains(geohash_decode(bits), distance_m);
}

// A ray to the east crosses the edges an odd number of times.
bool GeoShape::polygon_contains(GeoPoint point) const {
  bool inside = false;
  const GeoPoint* previous = &vertices_.back();
  for (const GeoPoint& vertex : vertices_) {
    if ((vertex.latitude > point.latitude) != (previous->latitude > point.latitude)) {
      const double crossing = (previous->longitude - vertex.longitude) * (point.latitude - vertex.latitude) /
                                  (previous->latitude - vertex.latitude) +
                              vertex.longitude;
      if (point.longitude < crossing) inside = !inside;
    }
    previous = &vertex;
  }
  return inside;
}

GeoShape::Bounds GeoShape::bounds() const {
  if (kind_ == Kind::kPolygon) {
    Bounds bounds{kLongitudeMax, kLatitudeMax, -kLongitudeMax, -kLatitudeMax};
    for (const GeoPoint& vertex : vertices_) {
      bounds.longitude_min = std::min(bounds.longitude_min, vertex.longitude);
      bounds.longitude_max = std::max(bounds.longitude_max, vertex.longitude);
      bounds.latitude_min = std::min(bounds.latitude_min, vertex.latitude);
      bounds.latitude_max = std::max(bounds.latitude_max, vertex.latitude);
    }
    return bounds;
  }
  const double latitude_delta = degrees(height_m_ / 2 / kEarthRadiusM);
  const double top = degrees(width_m_ / 2 / kEarthRadiusM / std::cos(radians(center_.latitude + latitude_delta)));
  const double bottom = degrees(width_m_ / 2 / kEarthRadiusM / std::cos(radians(center_.latitude - latitude_delta)));
  // The side that is nearer to the pole spans more degrees.
  const double longitude_delta = center_.latitude < 0 ? bottom : top;
  return {center_.longitude - longitude_delta, center_.latitude - latitude_delta, center_.longitude + longitude_delta,
          center_.latitude + latitude_delta};
}

GeoShape::Cover GeoShape::cover() const {
  const Bounds box = bounds();
  Cell center = cell_of(center_, estimate_steps(reach_m_, center_.latitude), kLatitudeMax);
  const auto is_too_fine = [&] {
    return area_of(neighbour(center, 0, 1)).latitude_max < box.latitude_max ||
           area_of(neighbour(center, 0, -1)).latitude_min > box.latitude_min ||
           area_of(neighbour(center, 1, 0)).longitude_max < box.longitude_max ||
           area_of(neighbour(center, -1, 0)).longitude_min > box.longitude_min;
  };
  while (center.steps > 1 && is_too_fine()) {
    center = cell_of(center_, center.steps - 1, kLatitudeMax);
    if (kind_ != Kind::kPolygon) break;
  }
  // Sides that the area does not reach are left out, but on the coarsest grid, where neighbours are the same.
  const CellArea area = area_of(center);
  const bool prunes = center.steps >= 2;
  const bool north = !prunes || area.latitude_max <= box.latitude_max;
  const bool south = !prunes || area.latitude_min >= box.latitude_min;
  const bool east = !prunes || area.longitude_max <= box.longitude_max;
  const bool west = !prunes || area.longitude_min >= box.longitude_min;
  const std::pair<bool, std::pair<int, int>> candidates[] = {
      {true, {0, 0}},           {north, {0, 1}},          {south, {0, -1}},
      {east, {1, 0}},           {west, {-1, 0}},          {north && east, {1, 1}},
      {north && west, {-1, 1}}, {south && east, {1, -1}}, {south && west, {-1, -1}}};
  Cover cover;
  for (const Edge edge : {Edge::kStays, Edge::kWraps}) {
    for (const auto& [searched, where] : candidates) {
      if (!searched) continue;
      const Range range = range_of(neighbour(center, where.first, where.second, edge));
      const Range* begin = cover.ranges.data();
      const bool seen =
          std::any_of(begin, begin + cover.count, [&](const Range& other) { return other.begin == range.begin; });
      if (!seen) cover.ranges[cover.count++] = range;
    }
    if (neighbour(center, 0, 0).bits == center.bits) break;  // inside the grid both are the same
  }
  return cover;
}

}  // namespace larder
