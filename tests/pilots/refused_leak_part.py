# Refused: an input is one of the columns that the outcome is made of.

# %%
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

# %%
df = pd.read_csv('StudentsPerformance.csv')
df['average'] = (df['math score'] + df['reading score'] + df['writing score']) / 3

# %%
X = pd.get_dummies(df[['gender', 'lunch', 'reading score']])
X_train, X_test, y_train, y_test = train_test_split(X, df['average'], test_size=0.3, random_state=1)
lr = LinearRegression().fit(X_train, y_train)
print(r2_score(y_test, lr.predict(X_test)))
