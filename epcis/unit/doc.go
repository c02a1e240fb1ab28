// Package unit knows the units of measure in which goods and sensor readings are stated: the codes of UN/ECE
// Recommendation 20, what each measures, and how one is converted into another, exactly.
//
// What it does. [Lookup] answers what a code means. [Convert] gives the same amount in another unit of the same
// [Dimension] or an error, never a rounded number: a factor is a fraction times a power of ten, taken from the
// definition of the unit (the international yard and pound of 1959, the SI brochure, NIST SP 811 appendix B) and not
// from the seven digits that the Recommendation prints. [Compare] compares amounts in two units even where the
// conversion has no finite decimal, as from degrees Fahrenheit to degrees Celsius.
//
// What it deliberately does not do. It converts nothing between dimensions: what a litre of milk weighs is not its to
// know. Units whose size is no fraction (the radian beside the degree, the circular mil, the gilbert) are known by name
// and dimension and not converted. A code that is not in the table is unknown; packages such as "CS" (case) are no
// units. An acre is the international one, as the United States define it since 2023.
//
// Who calls it. epcis (decimals), queries (sensor readings), the ledger and balances (quantities), and cmd (symbols).
//
// Concurrency. The tables are constant; all functions are pure and allocate nothing.
package unit
