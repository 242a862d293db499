// Package chart draws curves with logarithmic axes as SVG. It draws what the benchmark needs and is no plotting library.
package chart
