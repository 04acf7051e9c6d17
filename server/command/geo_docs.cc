// What is told about the geo commands: see server/core/command_docs.h for the notation.

#include "server/command/geo_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kGeoDocRows[] = {
    {"geoadd", "Adds places, given by longitude and latitude, to a sorted set; creates the key when it is missing.",
     "3.2.0", "O(log(N)) for each place, N being those in the set",
     "key [NX | XX] [CH] longitude:double latitude:double member [longitude:double latitude:double member ...]"},
    {"geodist", "Returns the distance between two places.", "3.2.0", "O(1)",
     "key member1:string member2:string [M | KM | FT | MI]"},
    {"geohash", "Returns places as geohash texts.", "3.2.0", "O(1) for each place", "key [member ...]"},
    {"geopos", "Returns the longitudes and latitudes of places.", "3.2.0", "O(1) for each place", "key [member ...]"},
    {"georadius", "Returns or stores the places within a distance of a point: an old form of GEOSEARCH.", "3.2.0",
     "O(N+log(M)): N places in the cells around the circle, M in the set",
     "key longitude:double latitude:double radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
     "[COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]"},
    {"georadius_ro", "Returns the places within a distance of a point: an old form of GEOSEARCH.", "3.2.10",
     "O(N+log(M)): N places in the cells around the circle, M in the set",
     "key longitude:double latitude:double radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] "
     "[COUNT count [ANY]] [ASC | DESC]"},
    {"georadiusbymember", "Returns or stores the places within a distance of a member: an old form of GEOSEARCH.",
     "3.2.0", "O(N+log(M)): N places in the cells around the circle, M in the set",
     "key member radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] "
     "[ASC | DESC] [STORE key | STOREDIST key]"},
    {"georadiusbymember_ro", "Returns the places within a distance of a member: an old form of GEOSEARCH.", "3.2.10",
     "O(N+log(M)): N places in the cells around the circle, M in the set",
     "key member radius:double <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] "
     "[ASC | DESC]"},
    {"geosearch", "Returns the places within a circle, a box or a polygon.", "6.2.0",
     "O(N+log(M)): N places in the cells around the area, M in the set",
     "key [FROMMEMBER member | FROMLONLAT longitude:double latitude:double] "
     "<BYRADIUS radius:double <M | KM | FT | MI> | BYBOX width:double height:double <M | KM | FT | MI> | "
     "BYPOLYGON num-vertices:integer longitude:double latitude:double [longitude:double latitude:double ...]> "
     "[ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]"},
    {"geosearchstore", "Stores the places within a circle, a box or a polygon as another sorted set.", "6.2.0",
     "O(N+log(M)): N places in the cells around the area, M in the set",
     "destination:key source:key [FROMMEMBER member | FROMLONLAT longitude:double latitude:double] "
     "<BYRADIUS radius:double <M | KM | FT | MI> | BYBOX width:double height:double <M | KM | FT | MI> | "
     "BYPOLYGON num-vertices:integer longitude:double latitude:double [longitude:double latitude:double ...]> "
     "[ASC | DESC] [COUNT count [ANY]] [STOREDIST]"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kGeoDocs = kGeoDocRows;

}  // namespace larder
