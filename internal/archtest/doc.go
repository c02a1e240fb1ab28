// Package archtest holds the shape of the house: which package may import which, and what the pure
// core may never see. It has no code of its own; its tests read the source tree and fail, with the
// reason for the ban, on any import or construct the table does not allow.
//
// Changing the table is how the architecture changes: do it together with docs/ARCHITECTURE.md.
package archtest
