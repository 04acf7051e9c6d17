// Places on earth as 52-bit numbers (geohashes), and areas as ranges of such numbers.
//
// Longitude and latitude, each as 26 bits of its range, with their bits taking turns (latitude has the lower one). Numbers that
// share their upper bits lie in the same cell of a grid, so a cell is a range of numbers; a search looks at the cell
// of its centre and the eight around it, of a size that makes these nine cover the area. Latitudes end at 85.05112878 degrees, as
// in the Mercator projection (EPSG:3857). Distances are great circles on a sphere (haversine).
//
// The constants, the order of operations and the choice of cells are those of Redis, so that scores, texts of coordinates and
// distances, and the order of unsorted results agree with it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace larder {

inline constexpr double kLongitudeMax = 180;
inline constexpr double kLatitudeMax = 85.05112878;

struct GeoPoint {
  double longitude = 0;
  double latitude = 0;

  bool is_valid() const {
    return longitude >= -kLongitudeMax && longitude <= kLongitudeMax && latitude >= -kLatitudeMax &&
           latitude <= kLatitudeMax;
  }
};

// Requires: point.is_valid().
uint64_t geohash_encode(GeoPoint point);
// The middle of the smallest cell. Any number has one.
GeoPoint geohash_decode(uint64_t bits);
// The same for the score of a member, whatever it is.
GeoPoint geohash_decode_score(double score);

inline constexpr size_t kGeohashTextBytes = 11;
// The widespread text form (base 32, latitudes up to 90 degrees); the last character is always '0'.
void write_geohash_text(GeoPoint point, char (&out)[kGeohashTextBytes]);

double geo_distance_m(GeoPoint a, GeoPoint b);

// An area to search.
class GeoShape {
 public:
  GeoShape() = default;
  static GeoShape circle(GeoPoint center, double radius_m);
  // Sides along the meridians and parallels.
  static GeoShape box(GeoPoint center, double width_m, double height_m);
  // Edges are straight in longitude and latitude; the last vertex is joined to the first. Its centre is the mean of the vertices
  // on the sphere. Requires: at least 3 vertices.
  static GeoShape polygon(std::vector<GeoPoint> vertices);

  // Whether the point is inside; then *distance_m is how far it is from the centre. Null: nobody asks, which is cheaper.
  bool contains(GeoPoint point, double* distance_m) const;
  // The same for the place of a score, which is cheaper again where it is far outside.
  bool contains_score(double score, double* distance_m) const;

  // Half-open ranges of geohashes that cover the area, in the order in which they are to be searched.
  struct Range {
    uint64_t begin;
    uint64_t end;
  };
  struct Cover {
    std::array<Range, 18> ranges;  // nine, or twice nine around a place on the last meridian or parallel
    size_t count = 0;
  };
  Cover cover() const;

 private:
  enum class Kind : uint8_t { kCircle, kBox, kPolygon };
  struct Bounds {
    double longitude_min, latitude_min, longitude_max, latitude_max;
  };
  Bounds bounds() const;
  enum class Guess : uint8_t { kInside, kOutside, kUnsure };
  Guess guess(double north_radians, double east_radians) const;
  bool circle_contains(GeoPoint point, double* distance_m) const;
  bool polygon_contains(GeoPoint point) const;
  void prepare();
  void prepare_window();

  Kind kind_ = Kind::kCircle;
  GeoPoint center_;
  double width_m_ = 0;  // twice the radius of a circle
  double height_m_ = 0;
  double reach_m_ = 0;  // no point of the area is farther from the centre
  std::vector<GeoPoint> vertices_;
  // What every distance from the centre needs.
  double center_latitude_radians_ = 0;
  double center_latitude_cosine_ = 1;
  double center_latitude_sine_ = 0;
  double haversine_max_ = 1;   // of points in a circle, with some tolerance
  double haversine_sure_ = 0;  // what is below that is inside
  // The bits of the latitudes and of the longitudes that a circle reaches, from the least on: one coordinate's bits of geohashes
  // are in its order. Whatever else the shape is: all there are.
  uint64_t latitude_bits_min_ = 0;
  uint64_t latitude_bits_span_ = UINT64_MAX;
  uint64_t longitude_bits_min_ = 0;
  uint64_t longitude_bits_span_ = UINT64_MAX;
};

}  // namespace larder
