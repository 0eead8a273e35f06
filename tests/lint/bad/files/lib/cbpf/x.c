// SPDX-License-Identifier: BSD-3-Clause
int x; 
<<<<<<< HEAD
int z;
int y;