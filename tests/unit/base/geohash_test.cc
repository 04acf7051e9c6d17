#include "base/geohash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

constexpr double kEarthRadiusM = 6372797.560856;
// A cell of the finest grid is this many degrees wide and high at the most.
constexpr double kCellDegrees = 360.0 / (1 << 26);

// Over vectors instead of angles: another way to the same distance.
double naive_distance_m(GeoPoint a, GeoPoint b) {
  const auto vector = [](GeoPoint point, double(&out)[3]) {
    const double longitude = point.longitude * M_PI / 180;
    const double latitude = point.latitude * M_PI / 180;
    out[0] = std::cos(latitude) * std::cos(longitude);
    out[1] = std::cos(latitude) * std::sin(longitude);
    out[2] = std::sin(latitude);
  };
  double u[3];
  double v[3];
  vector(a, u);
  vector(b, v);
  const double chord = std::hypot(u[0] - v[0], u[1] - v[1], u[2] - v[2]);
  return 2 * kEarthRadiusM * std::asin(std::min(chord / 2, 1.0));
}

GeoPoint random_point(Random& random, double latitude_max = kLatitudeMax) {
  return {(random.real() * 2 - 1) * 179.999, (random.real() * 2 - 1) * latitude_max};
}

bool is_covered(const GeoShape::Cover& cover, GeoPoint point) {
  const uint64_t bits = geohash_encode(point);
  return std::any_of(cover.ranges.begin(), cover.ranges.begin() + static_cast<ptrdiff_t>(cover.count),
                     [&](const GeoShape::Range& range) { return bits >= range.begin && bits < range.end; });
}

TEST(Geohash, KnownPlaces) {
  const GeoPoint palermo{13.361389, 38.115556};
  EXPECT_EQ(geohash_encode(palermo), 3479099956230698u);
  char text[kGeohashTextBytes];
  write_geohash_text(palermo, text);
  EXPECT_EQ(Bytes(text, sizeof(text)), "sqc8b49rny0");
  write_geohash_text({-5.6, 42.6}, text);
  EXPECT_EQ(Bytes(text, 5), "ezs42");
  EXPECT_NEAR(geo_distance_m(palermo, {15.087269, 37.502669}), 166274.26, 0.01);
  EXPECT_EQ(geohash_encode({-180, -kLatitudeMax}), 0u);
}

TEST(Geohash, DecodingFindsTheCell) {
  Random random(test_seed());
  for (int i = 0; i < 20'000; i++) {
    const GeoPoint point = random_point(random);
    const uint64_t bits = geohash_encode(point);
    ASSERT_LT(bits, uint64_t{1} << 52);
    const GeoPoint decoded = geohash_decode(bits);
    ASSERT_NEAR(decoded.longitude, point.longitude, kCellDegrees);
    ASSERT_NEAR(decoded.latitude, point.latitude, kCellDegrees);
    ASSERT_EQ(geohash_encode(decoded), bits);
    ASSERT_EQ(geohash_decode_score(static_cast<double>(bits)).longitude, decoded.longitude);
  }
}

TEST(Geohash, AnyScoreDecodesToSomePlace) {
  for (const double score : {-1.0, -1e300, 1e300, static_cast<double>(INFINITY), -static_cast<double>(INFINITY), 0x1p63,
                             0x1p64, 1e18, 0.5}) {
    EXPECT_TRUE(geohash_decode_score(score).is_valid()) << score;
  }
}

TEST(Geohash, TheUpperBitsOfNeighboursAgree) {
  Random random(test_seed());
  for (int i = 0; i < 1000; i++) {
    // Both coordinates halve the same range: the first bit pair says which quarter of the map.
    const GeoPoint point = random_point(random);
    const uint64_t quarter = geohash_encode(point) >> 50;
    EXPECT_EQ(quarter, (point.longitude >= 0 ? 2u : 0u) + (point.latitude >= 0 ? 1u : 0u));
  }
}

TEST(Geohash, DistancesAgreeWithVectors) {
  Random random(test_seed());
  for (int i = 0; i < 20'000; i++) {
    const GeoPoint a = random_point(random);
    GeoPoint b = random_point(random);
    if (random.one_in(3)) b = {a.longitude + random.real() * 1e-3, a.latitude};
    if (random.one_in(10)) b.longitude = a.longitude;
    const double expected = naive_distance_m(a, b);
    ASSERT_NEAR(geo_distance_m(a, b), expected, 1e-3 + expected * 1e-7);
    ASSERT_NEAR(geo_distance_m(b, a), geo_distance_m(a, b), 1e-6);
  }
}

// What is in a shape, its distance, and that its cells cover it, against looking at every point.
void check_shape(const GeoShape& shape, GeoPoint center, const std::vector<GeoPoint>& points, auto is_inside) {
  const GeoShape::Cover cover = shape.cover();
  ASSERT_GE(cover.count, 1u);
  ASSERT_LE(cover.count, cover.ranges.size());
  std::set<uint64_t> begins;
  for (size_t i = 0; i < cover.count; i++) {
    ASSERT_LT(cover.ranges[i].begin, cover.ranges[i].end);
    ASSERT_LE(cover.ranges[i].end, uint64_t{1} << 52);
    ASSERT_TRUE(begins.insert(cover.ranges[i].begin).second) << "a cell is searched twice";
  }
  for (const GeoPoint& point : points) {
    double distance_m = -1;
    const bool inside = shape.contains(point, &distance_m);
    const auto expected = is_inside(point);
    ASSERT_EQ(inside, expected.value_or(inside)) << point.longitude << " " << point.latitude;
    ASSERT_EQ(shape.contains(point, nullptr), inside) << point.longitude << " " << point.latitude;
    const uint64_t bits = geohash_encode(point);
    const auto score = static_cast<double>(bits);
    ASSERT_EQ(shape.contains_score(score, nullptr), shape.contains(geohash_decode_score(score), nullptr)) << bits;
    if (!inside) continue;
    ASSERT_NEAR(distance_m, naive_distance_m(center, point), 1e-3 + distance_m * 1e-7);
    ASSERT_TRUE(is_covered(cover, point)) << point.longitude << " " << point.latitude;
  }
}

std::vector<GeoPoint> points_around(GeoPoint center, double reach_m, Random& random) {
  std::vector<GeoPoint> points;
  const double degrees = reach_m / kEarthRadiusM * 180 / M_PI;
  for (int i = 0; i < 1000; i++) {
    GeoPoint point = random_point(random);
    if (!random.one_in(4)) {
      point = {center.longitude + (random.real() * 3 - 1.5) * degrees / std::cos(center.latitude * M_PI / 180),
               center.latitude + (random.real() * 3 - 1.5) * degrees};
    }
    if (point.longitude >= kLongitudeMax) point.longitude -= 360;
    if (point.longitude <= -kLongitudeMax) point.longitude += 360;
    if (point.is_valid()) points.push_back(point);
  }
  return points;
}

// The cells are chosen as Redis chooses them, which is sure to cover a circle or box only where meridians do not come together much, and
// within a hemisphere.
constexpr double kSureLatitude = 60;
constexpr double kSureReachM = 1'000'000;

TEST(GeoShape, Circles) {
  Random random(test_seed());
  for (int i = 0; i < 60; i++) {
    const GeoPoint center = random_point(random, kSureLatitude);
    const double radius_m = std::pow(kSureReachM, random.real());
    check_shape(GeoShape::circle(center, radius_m), center, points_around(center, radius_m, random),
                [&](GeoPoint point) -> std::optional<bool> {
                  const double distance_m = naive_distance_m(center, point);
                  if (std::fabs(distance_m - radius_m) < 1e-3 + radius_m * 1e-7) return std::nullopt;
                  return distance_m < radius_m;
                });
    if (HasFatalFailure()) return;
  }
}

// Most points are judged by an estimate, which must not show: not even for those that lie on the line.
TEST(GeoShape, ACircleEndsWhereTheDistanceSays) {
  Random random(test_seed());
  for (int i = 0; i < 3000; i++) {
    const GeoPoint center = random_point(random);
    const double degrees = std::pow(10, random.real() * 9 - 7.5);  // from centimetres to beyond what is estimated
    const GeoPoint point = {center.longitude + (random.real() * 2 - 1) * degrees,
                            random.one_in(8) ? center.latitude : center.latitude + (random.real() * 2 - 1) * degrees};
    if (!point.is_valid()) continue;
    const double distance_m = geo_distance_m(center, point);
    const double off_m = distance_m * std::pow(10, random.real() * 12 - 14);
    for (const double radius_m :
         {distance_m, std::nextafter(distance_m, 0), std::nextafter(distance_m, 1e9), distance_m - off_m,
          distance_m + off_m, distance_m * (1 - 1e-7), distance_m * (1 + 1e-7)}) {
      const GeoShape circle = GeoShape::circle(center, radius_m);
      double found_m = -1;
      ASSERT_EQ(circle.contains(point, &found_m), distance_m <= radius_m) << distance_m << " of " << radius_m;
      ASSERT_EQ(circle.contains(point, nullptr), distance_m <= radius_m) << distance_m << " of " << radius_m;
      const auto score = static_cast<double>(geohash_encode(point));
      ASSERT_EQ(circle.contains_score(score, nullptr), circle.contains(geohash_decode_score(score), nullptr)) << score;
      if (distance_m <= radius_m) {
        ASSERT_EQ(found_m, distance_m);
      }
    }
  }
}

TEST(GeoShape, Boxes) {
  Random random(test_seed());
  for (int i = 0; i < 60; i++) {
    const GeoPoint center = random_point(random, kSureLatitude);
    const double width_m = std::pow(kSureReachM, random.real());
    const double height_m = std::pow(kSureReachM, random.real());
    check_shape(GeoShape::box(center, width_m, height_m), center,
                points_around(center, std::max(width_m, height_m), random), [&](GeoPoint point) -> std::optional<bool> {
                  const double north_m = naive_distance_m({0, point.latitude}, {0, center.latitude});
                  const double east_m = naive_distance_m(point, {center.longitude, point.latitude});
                  if (std::fabs(north_m - height_m / 2) < 1e-3 + height_m * 1e-7) return std::nullopt;
                  if (std::fabs(east_m - width_m / 2) < 1e-3 + width_m * 1e-7) return std::nullopt;
                  return north_m < height_m / 2 && east_m < width_m / 2;
                });
    if (HasFatalFailure()) return;
  }
}

TEST(GeoShape, Polygons) {
  Random random(test_seed());
  for (int i = 0; i < 60; i++) {
    // Convex around a centre: corners in the order of their angles. Inside is what is on the left of every edge.
    const GeoPoint middle = random_point(random, kSureLatitude);
    const double degrees = std::pow(10, random.real() * 4 - 3) / 2;
    const size_t corners = 3 + random.uniform(6);
    std::vector<GeoPoint> vertices;
    for (size_t k = 0; k < corners; k++) {
      const double angle = 2 * M_PI * static_cast<double>(k) / static_cast<double>(corners);
      vertices.push_back({middle.longitude + degrees * std::cos(angle), middle.latitude + degrees * std::sin(angle)});
    }
    if (!std::all_of(vertices.begin(), vertices.end(), [](const GeoPoint& vertex) { return vertex.is_valid(); }))
      continue;
    const auto is_inside = [&](GeoPoint point) -> std::optional<bool> {
      for (size_t k = 0; k < corners; k++) {
        const GeoPoint& a = vertices[k];
        const GeoPoint& b = vertices[(k + 1) % corners];
        const double side = (b.longitude - a.longitude) * (point.latitude - a.latitude) -
                            (b.latitude - a.latitude) * (point.longitude - a.longitude);
        if (std::fabs(side) < 1e-12) return std::nullopt;
        if (side < 0) return false;
      }
      return true;
    };
    const GeoShape shape = GeoShape::polygon(vertices);
    double to_center_m = 0;
    // The distance is that from the mean of the vertices, which is near the middle.
    EXPECT_TRUE(shape.contains(middle, &to_center_m));
    EXPECT_LT(to_center_m, degrees * 111'000);
    const GeoShape::Cover cover = shape.cover();
    for (const GeoPoint& point : points_around(middle, degrees * 111'000, random)) {
      double distance_m;
      const bool inside = shape.contains(point, &distance_m);
      const auto expected = is_inside(point);
      ASSERT_EQ(inside, expected.value_or(inside));
      ASSERT_TRUE(!inside || is_covered(cover, point)) << point.longitude << " " << point.latitude;
    }
  }
}

TEST(GeoShape, TheWholeEarth) {
  Random random(test_seed());
  const GeoShape shape = GeoShape::circle({10, 20}, 21'000'000);
  const GeoShape::Cover cover = shape.cover();
  for (int i = 0; i < 10'000; i++) {
    const GeoPoint point = random_point(random);
    double distance_m;
    EXPECT_TRUE(shape.contains(point, &distance_m));
    EXPECT_TRUE(is_covered(cover, point));
  }
}

TEST(GeoShape, NoAreaButItsCenter) {
  double distance_m;
  const GeoPoint here = geohash_decode(geohash_encode({2.35, 48.85}));
  EXPECT_TRUE(GeoShape::circle(here, 0).contains(here, &distance_m));
  EXPECT_EQ(distance_m, 0);
  EXPECT_TRUE(GeoShape::box(here, 0, 0).contains(here, &distance_m));
  EXPECT_FALSE(GeoShape::circle(here, 1).contains({2.36, 48.85}, &distance_m));
}

}  // namespace
}  // namespace larder
